package policy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/krmsafe/krmsafe/policy"
)

// asks is a policy that uses package krmsafe.lib.x in one way or another.
func asks(body string) []policy.Source {
	return []policy.Source{{Name: "own.rego", Text: []byte("package krmsafe.admit\n\ndefault allow := false\n" + body)}}
}

func book(name, text string) policy.Source { return policy.Source{Name: name, Text: []byte(text)} }

// TestLibraryIsFoundHoweverItIsWritten names the library's package in all ways that Rego has, and refers to it in all
// ways that it has: a module that was left on the shelf would make the policy refuse to load.
func TestLibraryIsFoundHoweverItIsWritten(t *testing.T) {
	const rule = "good if input.verified.signed\n"
	imported := "import data.krmsafe.lib.x\nallow if x.good\n"
	packages := map[string]string{
		"plain":      "package krmsafe.lib.x\n" + rule,
		"comments":   "# package krmsafe.lib.y\n\n  # METADATA\n  # title: package z\npackage krmsafe.lib.x\n" + rule,
		"tab":        "package\tkrmsafe.lib.x\n" + rule,
		"brackets":   "package krmsafe[\"lib\"].x\n" + rule,
		"comment":    "package krmsafe.lib.x # and nothing else\n" + rule,
		"two lines":  "package\n krmsafe.lib.x\n" + rule,
		"windows":    "# x\r\npackage krmsafe.lib.x\r\ngood if input.verified.signed\r\n",
		"indented":   "   package krmsafe.lib.x   \n" + rule,
		"over":       "package krmsafe.lib\nx.good if input.verified.signed\n",
		"far over":   "package krmsafe\nlib.x.good if input.verified.signed\n",
		"two stages": "package krmsafe.lib.x\nimport data.krmsafe.lib.y\ngood if y.good\n",
	}
	for name, text := range packages {
		t.Run(name, func(t *testing.T) {
			cfg := policy.Config{
				Library: []policy.Source{book("a", text), book("b", "package krmsafe.lib.y\n"+rule), book("c", "package krmsafe.lib.broken\n{{{")},
				Sources: asks(imported),
			}
			expectSigned(t, cfg)
		})
	}
	for name, body := range map[string]string{
		"renamed":   "import data.krmsafe.lib.x as y\nallow if y.good\n",
		"whole":     "import data.krmsafe.lib\nallow if lib.x.good\n",
		"direct":    "allow if data.krmsafe.lib.x.good\n",
		"brackets":  "allow if data.krmsafe[\"lib\"].x.good\n",
		"computed":  "allow if { some name in [\"good\"]; data.krmsafe.lib.x[name] }\n",
		"helper":    "allow if _helper\n_helper if data.krmsafe.lib.x.good\n",
		"in a call": "allow if count([1 | data.krmsafe.lib.x.good]) == 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			expectSigned(t, policy.Config{Library: []policy.Source{book("a", packages["plain"])}, Sources: asks(body)})
		})
	}
	t.Run("below", func(t *testing.T) {
		below := book("a", "package krmsafe.lib.x.good\nyes if input.verified.signed\n")
		expectSigned(t, policy.Config{Library: []policy.Source{below}, Sources: asks("import data.krmsafe.lib.x\nallow if x.good.yes\n")})
	})
}

// expectSigned loads a policy that allows what is signed and nothing else.
func expectSigned(t *testing.T, cfg policy.Config) {
	t.Helper()
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		t.Fatalf("Load = %v", err)
	}
	for _, signed := range []bool{true, false} {
		facts := someFacts()
		facts.Verified.Signed = signed
		d, err := p.Admit(context.Background(), facts)
		if err != nil {
			t.Fatal(err)
		}
		if d.Allow != signed {
			t.Errorf("signed is %v, and allow is %v: %+v", signed, d.Allow, d.Reasons)
		}
	}
}

// TestMissingLibraryIsRefused asks for what no source defines: nothing is taken for data that may come later.
func TestMissingLibraryIsRefused(t *testing.T) {
	for _, library := range [][]policy.Source{nil, {book("a", "package krmsafe.lib.y\ngood := true\n")}, {book("a", "# package krmsafe.lib.x\npackage krmsafe.lib.y\ngood := true\n")}} {
		var failed *policy.CompileError
		if _, err := policy.Load(context.Background(), policy.Config{Library: library, Sources: asks("import data.krmsafe.lib.x\nallow if not x.bad\n")}); !errors.As(err, &failed) {
			t.Errorf("Load = %v, want a CompileError", err)
		}
	}
}

// TestLibraryTwice gives one name to two sources of the library, one of which the policy does not reach.
func TestLibraryTwice(t *testing.T) {
	var refused *policy.LoadError
	cfg := policy.Config{
		Library: []policy.Source{book("a", "package krmsafe.lib.x\ngood if input.verified.signed\n"), book("a", "package krmsafe.lib.y\n")},
		Sources: asks("import data.krmsafe.lib.x\nallow if x.good\n"),
	}
	if _, err := policy.Load(context.Background(), cfg); !errors.As(err, &refused) || refused.Code != "policy.duplicate" {
		t.Errorf("Load = %v, want policy.duplicate", err)
	}
}
