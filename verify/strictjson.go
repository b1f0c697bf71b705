package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// scanLimits bound a JSON text before anything is built from it: five bytes of
// JSON can cost a decoder hundreds of bytes of memory.
type scanLimits struct {
	depth  int
	tokens int
}

var (
	// bundleScan fits every bundle of 32 log entries with full proofs; the
	// payload of an envelope is one token.
	bundleScan = scanLimits{depth: 24, tokens: 20_000}
	// statementScan fits SBOMs, whose predicates run to a million values.
	statementScan = scanLimits{depth: 512, tokens: 4_000_000}
)

// scanJSON checks that data is exactly one JSON object in which no object has
// one name twice, so that two readers cannot see two documents in it. It
// returns how deep it is nested.
func scanJSON(data []byte, limits scanLimits) (depth int, err error) {
	if !utf8.Valid(data) {
		return 0, fail("verify.malformed", "it is not UTF-8")
	}
	s := scanner{dec: json.NewDecoder(bytes.NewReader(data)), limits: limits}
	s.dec.UseNumber()
	first, err := s.dec.Token()
	if err != nil || first != json.Delim('{') {
		return 0, fail("verify.malformed", "it is not a JSON object")
	}
	s.open(true)
	for len(s.stack) > 0 {
		if err := s.step(); err != nil {
			return 0, err
		}
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return 0, fail("verify.malformed", "there is more after its end")
	}
	return s.deepest, nil
}

type scanner struct {
	dec     *json.Decoder
	limits  scanLimits
	stack   []frame
	tokens  int
	deepest int
}

// A frame is one open object or array; names is nil for an array.
type frame struct {
	names map[string]struct{}
	value bool // in an object: a name was read and its value follows
}

func (s *scanner) open(object bool) {
	f := frame{}
	if object {
		f.names = map[string]struct{}{}
	}
	s.stack = append(s.stack, f)
	s.deepest = max(s.deepest, len(s.stack))
}

func (s *scanner) step() error {
	t, err := s.dec.Token()
	if err != nil {
		return fail("verify.malformed", "it is not JSON: %s", oneLine(err.Error()))
	}
	if s.tokens++; s.tokens > s.limits.tokens {
		return fail("verify.limit", "it has more than %d JSON values", s.limits.tokens)
	}
	top := &s.stack[len(s.stack)-1]
	if d, ok := t.(json.Delim); ok && (d == '}' || d == ']') {
		s.stack = s.stack[:len(s.stack)-1]
		return nil
	}
	if top.names != nil && !top.value {
		name, _ := t.(string)
		if _, twice := top.names[name]; twice {
			return fail("verify.malformed", "the name %q occurs twice in one object", oneLine(name))
		}
		top.names[name] = struct{}{}
		top.value = true
		return nil
	}
	top.value = false
	if d, ok := t.(json.Delim); ok {
		s.open(d == '{')
		if len(s.stack) > s.limits.depth {
			return fail("verify.limit", "it is nested deeper than %d", s.limits.depth)
		}
	}
	return nil
}
