// Package plain makes foreign text safe to show: to a terminal, in a log, in the output of a CI job.
//
// It knows which characters a terminal acts on, which ones reorder or hide what a reader sees, and which lines a CI
// system takes for a command. It does not know where a text came from: every string that krmsafe did not write
// itself goes through Clean or Line before it is shown, whether it is a function's message, a resource's name, an
// annotation of an artifact or the text of an error.
//
// What it does not do: it does not make text safe inside HTML, Markdown, a shell or a file name; it does not tell
// letters of different alphabets apart that look alike; and it does not hold across a join. Text cleaned in parts
// must be joined by something that is not empty.
package plain

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// LineBytes is the length that no line of cleaned text exceeds. What is longer is cut and says so.
const LineBytes = 2048

// Clean returns s with its lines kept and everything else that is not plain text made visible. In the result
//   - there is no control character but the newline, no format or bidirectional character, no invalid UTF-8: each is
//     written as an escape such as \x1b or \u202e, a carriage return before a newline is dropped, a tab is a space;
//   - no line begins, behind spaces, with "::", and "##" stands nowhere, so that no line is a workflow command of
//     GitHub ("::set-env", "##[group]"), Azure ("##vso[") or TeamCity ("##teamcity[");
//   - no line is longer than LineBytes.
//
// Clean(Clean(s)) is Clean(s). See FuzzClean.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/8+16)
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b = append(b, '\n')
		}
		b = appendLine(b, strings.TrimRight(line, "\r"))
	}
	return string(b)
}

// Line is Clean for text that must stay on one line: a newline becomes the two characters \n.
func Line(s string) string {
	return Clean(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", `\n`))
}

// Prefix cleans s and puts prefix before each of its lines, so that nobody takes a foreign line for one of ours. The
// result ends with a newline where s is not empty. The prefix is the caller's own text and is not cleaned.
func Prefix(prefix, s string) string {
	s = strings.TrimRight(s, "\r\n")
	if s == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(Clean(s), "\n") {
		b.WriteString(prefix)
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// isPlain says whether s is its own cleaned form and short, which is the common case.
func isPlain(s string) bool {
	if len(s) > LineBytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '#' || c == ':' {
			return false
		}
	}
	return true
}

// cutRoom is what the note behind a cut line takes at most.
const cutRoom = 40

// appendLine appends the cleaned form of one line, which holds no newline.
func appendLine(b []byte, line string) []byte {
	start := len(b)
	cut, cutAt := start, 0 // where the line would be cut, and how much of it was read there
	leading := true        // only spaces so far
	for i := 0; i < len(line); {
		if len(b)-start <= LineBytes-cutRoom {
			cut, cutAt = len(b), i
		} else if len(b)-start > LineBytes {
			return append(append(append(b[:cut], " …["...), strconv.Itoa(len(line)-cutAt)...), " more bytes]"...)
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == '#' && len(b) > start && b[len(b)-1] == '#':
			b = append(b, " #"...)
		case r == ':' && leading && i+1 < len(line) && line[i+1] == ':':
			b = append(b, ": "...)
		default:
			b = appendRune(b, line[i:i+size], r)
		}
		leading = leading && r != ':' && b[len(b)-1] == ' '
		i += size
	}
	if len(b)-start > LineBytes {
		return append(append(append(b[:cut], " …["...), strconv.Itoa(len(line)-cutAt)...), " more bytes]"...)
	}
	return b
}

// appendRune appends a character, or its escape where it is not one that shows as itself.
func appendRune(b []byte, raw string, r rune) []byte {
	switch {
	case r == '\t' || unicode.Is(unicode.Zs, r):
		return append(b, ' ')
	case r == utf8.RuneError && len(raw) == 1:
		return appendHex(append(b, `\x`...), rune(raw[0]), 2)
	case unicode.IsPrint(r):
		return append(b, raw...)
	case r < 0x100:
		return appendHex(append(b, `\x`...), r, 2)
	case r < 0x10000:
		return appendHex(append(b, `\u`...), r, 4)
	default:
		return appendHex(append(b, `\U`...), r, 8)
	}
}

func appendHex(b []byte, v rune, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[v>>shift&0xf])
	}
	return b
}
