package krm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// text checks the encoding of a document and removes its byte order mark.
func text(data []byte, limit int64) ([]byte, error) {
	if int64(len(data)) > limit {
		return nil, limitProblem("bytes", "bytes", limit, 0, 0)
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if !utf8.Valid(data) {
		at := invalidAt(data)
		line, column := lineColumn(data, at)
		return nil, problemf("encoding", line, column, "the document is not UTF-8").withHint("save it as UTF-8")
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		line, column := lineColumn(data, i)
		return nil, problemf("encoding", line, column, "the document holds a NUL byte").withHint("save it as UTF-8 text")
	}
	if len(data) > 0 && data[0] == '{' && bytes.Contains(data, []byte(`\u`)) {
		return joinSurrogates(data), nil
	}
	return data, nil
}

// joinSurrogates replaces, in JSON, the two escapes by which a character beyond 16 bits is written (RFC 8259, section
// 7) by the character: YAML has no such escapes, and its parser refuses them.
func joinSurrogates(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); {
		if data[i] != '\\' || i+1 == len(data) {
			out = append(out, data[i])
			i++
			continue
		}
		if r := utf16.DecodeRune(unit(data[i:]), unit(data[min(i+6, len(data)):])); r != unicode.ReplacementChar {
			out = utf8.AppendRune(out, r)
			i += 12
			continue
		}
		out = append(out, data[i], data[i+1])
		i += 2
	}
	return out
}

// unit is the value of the escape \uXXXX that text begins with, 0 where it does not.
func unit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	v, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(v)
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// lineColumn is the position of a byte, both counted from 1, the column in characters.
func lineColumn(data []byte, at int) (line, column int) {
	before := data[:min(at, len(data))]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
}

// decodeOne parses the only document of data and returns its root, nil for a document that is empty.
func decodeOne(data []byte) (*yaml.Node, error) {
	if n := quickDocument(data); n != nil {
		return n, nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	root, err := decodeNext(d)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, locate(data, err)
	}
	for {
		more, err := decodeNext(d)
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, locate(data, err)
		}
		if !empty(more) {
			return nil, problemf("documents", more.Line, more.Column, "a second document follows the first").
				withHint("one ResourceList is one document")
		}
	}
}

// decodeNext reads the root of the next document. The parser reports what it does not like by panicking inside and
// returning an error; a panic that leaves it is its own fault and becomes an error too, so that no input ends krmsafe.
func decodeNext(d *yaml.Decoder) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("yaml: the parser gave up: %v", r)
		}
	}()
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return &doc, nil
	}
	root = doc.Content[0]
	if root.HeadComment == "" {
		root.HeadComment = doc.HeadComment
	}
	if root.FootComment == "" {
		root.FootComment = doc.FootComment
	}
	return root, nil
}

// empty says whether a document holds nothing but, perhaps, comments.
func empty(n *yaml.Node) bool {
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.Tag == nullTag && n.Value == ""
}

var parserLine = lazy.Regexp(`^line ([0-9]+): `)

// locateMax is the size up to which the place of a syntax error is searched for by parsing again.
const locateMax = 256 << 10

// locate turns a parser's error into a problem with line and column. The parser names the line where the broken
// construct began and no column, so the place is found as the shortest prefix of the text that already has this
// error. Beyond locateMax the parser's own line has to do.
func locate(data []byte, err error) error {
	line, message := parserMessage(err)
	p := problemf("syntax", max(line, 1), 0, "%s", message)
	if len(data) > locateMax {
		return p
	}
	fails := func(n int) bool {
		_, m := parserMessage(probe(data[:n]))
		return m == message
	}
	ends := lineEnds(data)
	if i := search(len(ends), func(i int) bool { return fails(ends[i]) }); i < len(ends) {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		at := start + search(ends[i]-start, func(k int) bool { return fails(start + k + 1) })
		p.line, p.column = lineColumn(data, min(at, len(data)))
	}
	if b := data[:min(len(data), ends[max(p.line-1, 0)])]; bytes.ContainsRune(lastLine(b), '\t') && strings.Contains(message, "cannot start any token") {
		p.hint = "indent with spaces, not with tabs"
	}
	return p
}

func lastLine(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

func probe(data []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := decodeNext(d); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// parserMessage splits a parser's error into the line it names, 0 if none, and what it says.
func parserMessage(err error) (line int, message string) {
	if err == nil {
		return 0, ""
	}
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := parserLine().FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	return line, short(message)
}

// lineEnds lists the offset after each line of data.
func lineEnds(data []byte) []int {
	var ends []int
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(ends) == 0 || ends[len(ends)-1] < len(data) {
		ends = append(ends, len(data))
	}
	return ends
}

// search is the smallest i in [0, n) for which f holds, n if it finds none. f need not be monotone; then the answer
// is some i for which it holds.
func search(n int, f func(int) bool) int {
	lo, hi := 0, n
	for lo < hi {
		if mid := (lo + hi) / 2; f(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
