package plain_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/krmsafe/krmsafe/internal/plain"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "web: image nginx:1.25 has no digest", "web: image nginx:1.25 has no digest"},
		{"letters of the world", "Größe 名前 🎉", "Größe 名前 🎉"},
		{"lines", "a\nb\n", "a\nb\n"},
		{"ansi colour", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"title and clipboard", "\x1b]52;c;aGk=\x07", `\x1b]52;c;aGk=\x07`},
		{"c1 csi", "\u009b2Jx", `\x9b2Jx`},
		{"carriage return hides", "refused\rallowed", `refused\x0dallowed`},
		{"windows line end", "a\r\nb", "a\nb"},
		{"backspace", "no\b\byes", `no\x08\x08yes`},
		{"nul", "a\x00b", `a\x00b`},
		{"tab", "a\tb", "a b"},
		{"bidi", "\u202egnp.exe", `\u202egnp.exe`},
		{"bidi isolate", "\u2066x\u2069", `\u2066x\u2069`},
		{"zero width", "a\u200bd\u200dm\ufeffin", `a\u200bd\u200dm\ufeffin`},
		{"line separator", "a\u2028::error::b", `a\u2028::error::b`},
		{"next line", "a\u0085::error::b", `a\x85::error::b`},
		{"no-break space", "a\u00a0b", "a b"},
		{"invalid utf-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"tag characters", "\U000e0041", `\U000e0041`},
		{"github command", "::set-output name=x::y", ": :set-output name=x::y"},
		{"github command, indented", "ok\n \t ::error::x", "ok\n   : :error::x"},
		{"github command behind no-break space", "\u00a0::error::x", " : :error::x"},
		{"many colons", "::::x", ": :::x"},
		{"colons inside", "std::vector", "std::vector"},
		{"github group", "x ##[group]y", "x # #[group]y"},
		{"azure", "##vso[task.setvariable]", "# #vso[task.setvariable]"},
		{"teamcity", "###teamcity[x]", "# # #teamcity[x]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := plain.Clean(tt.in); got != tt.want {
				t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestCleanCutsLongLines(t *testing.T) {
	t.Parallel()
	got := plain.Clean("a\n" + strings.Repeat("é", 5000) + "\nb")
	lines := strings.Split(got, "\n")
	if len(lines) != 3 || lines[0] != "a" || lines[2] != "b" {
		t.Fatalf("Clean = %d lines, want 3", len(lines))
	}
	if !strings.HasSuffix(lines[1], " more bytes]") || len(lines[1]) > plain.LineBytes {
		t.Errorf("long line ends %q and has %d bytes", lines[1][len(lines[1])-30:], len(lines[1]))
	}
	exact := strings.Repeat("x", plain.LineBytes)
	if got := plain.Clean(exact); got != exact {
		t.Errorf("a line of exactly %d bytes was cut", plain.LineBytes)
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"\n", ""},
		{"one", "fn| one\n"},
		{"one\n::error::two\n\nthree\r\n", "fn| one\nfn| : :error::two\nfn| \nfn| three\n"},
	} {
		if got := plain.Prefix("fn| ", tt.in); got != tt.want {
			t.Errorf("Prefix(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func ExampleLine() {
	fmt.Println(plain.Line("pod\n::error::\x1b[2Jpwned"))
	// Output: pod\n::error::\x1b[2Jpwned
}

// FuzzClean holds the promise of Clean for every text.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"", "a\r\r\nb", "\x1b[1m", " \t::x", "#\x00#[", "##[", "#\u200b#vso[", "\u2029::x", "\xf0\x9f", ":\t:", "\u3000::",
		strings.Repeat("#", 3000), strings.Repeat("\x00", 700) + "::", strings.Repeat(" ", 2040) + "::::",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := plain.Clean(s)
		if again := plain.Clean(got); again != got {
			t.Errorf("Clean is not stable: %q, then %q", got, again)
		}
		if !utf8.ValidString(got) {
			t.Errorf("Clean(%q) is not UTF-8", s)
		}
		if a, b := strings.Count(s, "\n"), strings.Count(got, "\n"); a != b {
			t.Errorf("Clean(%q) has %d newlines, want %d", s, b, a)
		}
		for _, r := range got {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("Clean(%q) holds %U", s, r)
			}
		}
		for line := range strings.SplitSeq(got, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("Clean(%q) has the line %q", s, line)
			}
			if len(line) > plain.LineBytes {
				t.Errorf("Clean has a line of %d bytes", len(line))
			}
		}
		if strings.Contains(got, "##") {
			t.Errorf("Clean(%q) = %q holds ##", s, got)
		}
		if one := plain.Line(s); strings.Contains(one, "\n") {
			t.Errorf("Line(%q) = %q has a newline", s, one)
		}
	})
}
