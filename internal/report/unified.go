package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// contextLines is how many lines around a change are shown.
const contextLines = 3

// maxCompared bounds the work of finding which lines of two texts are the same, as the product of their lengths in lines
// once what they begin and end with alike is set aside. Beyond it all lines between count as changed.
const maxCompared = 4 << 20

// Unified writes the difference of two versions of a file as patch reads it, and nothing where they are equal. before is
// nil for a file that was not there, after for one that goes. The texts are written as they are, control characters
// included, since a patch must be exact: clean them for a terminal.
func Unified(w io.Writer, name string, before, after []byte) error {
	if bytes.Equal(before, after) && (before == nil) == (after == nil) {
		return nil
	}
	from, to := "a/"+name, "b/"+name
	if before == nil {
		from = "/dev/null"
	}
	if after == nil {
		to = "/dev/null"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", from, to)
	hunks(&b, splitLines(before), splitLines(after))
	_, err := w.Write(b.Bytes())
	return err
}

func splitLines(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// op is one line of a difference: ' ' in both, '-' in the first, '+' in the second.
type op struct {
	kind byte
	line string
}

// hunks writes the changes with the lines around them.
func hunks(b *bytes.Buffer, x, y []string) {
	ops := compare(x, y)
	for i := 0; i < len(ops); {
		if ops[i].kind == ' ' {
			i++
			continue
		}
		start := max(0, i-contextLines)
		end, same := i, 0
		for ; end < len(ops) && same <= 2*contextLines; end++ {
			if same++; ops[end].kind != ' ' {
				same = 0
			}
		}
		end -= max(0, same-contextLines)
		hunk(b, ops, start, end)
		i = end
	}
}

func hunk(b *bytes.Buffer, ops []op, start, end int) {
	count := func(from, to int, other byte) (n int) {
		for _, o := range ops[from:to] {
			if o.kind != other {
				n++
			}
		}
		return n
	}
	side := func(other byte) string {
		first, n := count(0, start, other), count(start, end, other)
		if n > 0 {
			first++
		}
		if n == 1 {
			return fmt.Sprint(first)
		}
		return fmt.Sprintf("%d,%d", first, n)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", side('+'), side('-'))
	for _, o := range ops[start:end] {
		b.WriteByte(o.kind)
		b.WriteString(o.line)
		if !strings.HasSuffix(o.line, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// compare finds a longest common subsequence of lines.
func compare(x, y []string) []op {
	var ops, tail []op
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		ops, x, y = append(ops, op{' ', x[0]}), x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		tail, x, y = append(tail, op{' ', x[len(x)-1]}), x[:len(x)-1], y[:len(y)-1]
	}
	i, j := 0, 0
	if len(x)*len(y) <= maxCompared {
		common := make([][]int32, len(x)+1) // length of the longest for the rests from i and j
		for i := range common {
			common[i] = make([]int32, len(y)+1)
		}
		for i := len(x) - 1; i >= 0; i-- {
			for j := len(y) - 1; j >= 0; j-- {
				if x[i] == y[j] {
					common[i][j] = common[i+1][j+1] + 1
				} else {
					common[i][j] = max(common[i+1][j], common[i][j+1])
				}
			}
		}
		for i < len(x) && j < len(y) {
			switch {
			case x[i] == y[j]:
				ops = append(ops, op{' ', x[i]})
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				ops, i = append(ops, op{'-', x[i]}), i+1
			default:
				ops, j = append(ops, op{'+', y[j]}), j+1
			}
		}
	}
	for ; i < len(x); i++ {
		ops = append(ops, op{'-', x[i]})
	}
	for ; j < len(y); j++ {
		ops = append(ops, op{'+', y[j]})
	}
	for k := len(tail) - 1; k >= 0; k-- {
		ops = append(ops, tail[k])
	}
	return ops
}
