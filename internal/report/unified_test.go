package report_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/report"
)

func TestUnified(t *testing.T) {
	many := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n"
	tests := []struct {
		name          string
		before, after []byte
		want          string
	}{
		{"equal", []byte("a\n"), []byte("a\n"), ""},
		{"one line", []byte("a\nb\nc\n"), []byte("a\nB\nc\n"), "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		{"new file", nil, []byte("a\n"), "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"},
		{"file goes", []byte("a\n"), nil, "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"},
		{"no newline at the end", []byte("a"), []byte("a\n"), "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{
			"two hunks", []byte(many), []byte(strings.NewReplacer("\n2\n", "\nx\n", "\n15\n", "\n").Replace(many)),
			"--- a/f\n+++ b/f\n@@ -1,5 +1,5 @@\n 1\n-2\n+x\n 3\n 4\n 5\n@@ -12,5 +12,4 @@\n 12\n 13\n 14\n-15\n 16\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.Unified(&b, "f", tt.before, tt.after); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("Unified (-want +got):\n%s", diff)
			}
		})
	}
}

// What Unified writes turns the one text into the other: each line of the new one is a line of the patch or outside of it.
func FuzzUnified(f *testing.F) {
	f.Add("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", "a\nc\nd\ne\nf\ng\nh\nx\ni\nj")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, before, after string) {
		var b bytes.Buffer
		if err := report.Unified(&b, "f", []byte(before), []byte(after)); err != nil {
			t.Fatal(err)
		}
		if got := applyPatch(t, before, b.String()); got != after {
			t.Errorf("patching %q with\n%s\ngives %q and not %q", before, b.String(), got, after)
		}
	})
}

// applyPatch follows the hunks of one file.
func applyPatch(t *testing.T, before, patch string) string {
	t.Helper()
	if patch == "" {
		return before
	}
	lines := strings.SplitAfter(before, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	var out strings.Builder
	at := 0
	rest := strings.SplitAfter(patch, "\n")[2:]
	for i, l := range rest {
		if i+1 < len(rest) && strings.HasPrefix(rest[i+1], "\\ No newline") {
			l = strings.TrimSuffix(l, "\n")
		}
		switch {
		case strings.HasPrefix(l, "@@ -"):
			start, n := 0, 1
			from := strings.Fields(l)[1]
			first, count, several := strings.Cut(strings.TrimPrefix(from, "-"), ",")
			start, _ = strconv.Atoi(first)
			if several {
				n, _ = strconv.Atoi(count)
			}
			if n > 0 {
				start--
			}
			for ; at < start; at++ {
				out.WriteString(lines[at])
			}
		case strings.HasPrefix(l, "+"):
			out.WriteString(l[1:])
		case strings.HasPrefix(l, "-"), strings.HasPrefix(l, " "):
			if at >= len(lines) || lines[at] != l[1:] {
				t.Fatalf("line %d of the text is not %q", at+1, l[1:])
			}
			if l[0] == ' ' {
				out.WriteString(lines[at])
			}
			at++
		}
	}
	for ; at < len(lines); at++ {
		out.WriteString(lines[at])
	}
	return out.String()
}
