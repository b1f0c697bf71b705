package policy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

func TestMain(m *testing.M) {
	if policy.IsChild(os.Args) {
		os.Exit(policy.Child(os.Args))
	}
	os.Exit(m.Run())
}

// jailed is confined as far as the system can do it: fully on Linux, and there
// a layer that is missing fails the test.
func jailed(tb testing.TB, cfg policy.JailConfig) *policy.Jailed {
	tb.Helper()
	if runtime.GOOS != "linux" {
		cfg.Level = policy.JailNone
	}
	j, err := policy.NewJailed(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(j.Close)
	return j
}

func TestJailedDecidesAsLocal(t *testing.T) {
	cfg := shipped(t)
	local := load(t, cfg)
	j := jailed(t, policy.JailConfig{})
	cfg.Evaluator = j
	remote := load(t, cfg)
	for _, facts := range []policy.Facts{someFacts(), {}} {
		want, err := local.Admit(context.Background(), facts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.Admit(context.Background(), facts)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("the decision of a jailed policy differs: %v\n%s", err, diff)
		}
	}
	report, alive := j.Report()
	if !alive || runtime.GOOS == "linux" && !report.Complete() {
		t.Errorf("the child is not fully jailed: %+v", report)
	}
}

// Rego that makes much out of little ends its child, not this process, and is
// a refusal with a reason of its own.
func TestBuiltinBombs(t *testing.T) {
	doubling := func(how string) string {
		var b strings.Builder
		b.WriteString("_x0 := \"" + strings.Repeat("x", 64) + "\"\n\n")
		for i := range 40 {
			fmt.Fprintf(&b, "_x%d := %s\n\n", i+1, strings.ReplaceAll(how, "X", fmt.Sprintf("_x%d", i)))
		}
		return b.String() + "reasons contains {\"id\": \"a.b\", \"message\": _x40}\n"
	}
	bombs := map[string]string{
		"text that doubles":     doubling(`concat("", [X, X])`),
		"replaced text":         doubling(`replace(X, "x", "xx")`),
		"formatted text":        "_n := [x | some x in split(\"" + strings.Repeat("x", 100) + "\", \"\")]\n\nreasons contains {\"id\": \"a.b\", \"message\": concat(\"\", [s | some i, _ in _n; some j, _ in _n; s := sprintf(\"%1000000d\", [i + (100 * j)])])}\n",
		"lists that double":     strings.Replace(doubling(`array.concat(X, X)`), "_x0 := \"", "_x0 := [\"", 1),
		"products of lists":     "_n := [x | some x in split(\"" + strings.Repeat("x", 500) + "\", \"\")]\n\n_p := [[a, b, c] | some a in _n; some b in _n; some c in _n]\n\nreasons contains {\"id\": \"a.b\", \"message\": \"m\"} if count(_p) > 1\n",
		"encoded over and over": doubling(`json.marshal([X, X])`),
	}
	bombs["lists that double"] = strings.Replace(bombs["lists that double"], "x\"\n\n_x1", "x\"]\n\n_x1", 1)
	for name, rego := range bombs {
		t.Run(name, func(t *testing.T) {
			cfg := withRego(t, "package krmsafe.admit\n\nallow if input.verified.signed\n\n"+rego)
			cfg.Timeout = 500 * time.Millisecond
			cfg.Evaluator = jailed(t, policy.JailConfig{MemoryBytes: 64 << 20, Timeout: 3 * time.Second})
			start := time.Now()
			p, err := policy.Load(context.Background(), cfg)
			if err == nil {
				var d policy.Decision
				d, err = p.Admit(context.Background(), someFacts())
				t.Log(ids(d.Reasons))
				if d.Allow || !strings.HasPrefix(ids(d.Reasons), "policy.") {
					t.Errorf("Admit = %+v, %v; want a refusal of krmsafe's own", d, err)
				}
			} else {
				t.Log(err)
				var refused *policy.LoadError
				var compile *policy.CompileError
				if !errors.As(err, &compile) && (!errors.As(err, &refused) || !strings.HasPrefix(refused.Code, "policy.")) {
					t.Errorf("Load = %v", err)
				}
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A child that died is replaced.
func TestJailedAfterACrash(t *testing.T) {
	j := jailed(t, policy.JailConfig{MemoryBytes: 64 << 20})
	cfg := shipped(t)
	cfg.Evaluator = j
	p := load(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Admit(ctx, someFacts()); err == nil {
		t.Error("a canceled request is answered")
	}
	if d, err := p.Admit(context.Background(), someFacts()); err != nil || !d.Allow {
		t.Errorf("Admit after a crash = %+v, %v", d, err)
	}
	j.Close()
	if d, err := p.Admit(context.Background(), someFacts()); err != nil || !d.Allow {
		t.Errorf("Admit after Close = %+v, %v", d, err)
	}
}

// The child's memory grows with the input, so that a large output is judged
// and not taken for a bomb.
func TestJailedLargeInput(t *testing.T) {
	cfg := shipped(t)
	cfg.Evaluator = jailed(t, policy.JailConfig{})
	d, err := load(t, cfg).Check(context.Background(), manyChanges(20_000))
	if err != nil || !d.Allow {
		t.Errorf("Check = %+v, %v", d.Reasons, err)
	}
}

func BenchmarkJailedAdmit(b *testing.B) {
	cfg := shipped(b)
	cfg.Evaluator = jailed(b, policy.JailConfig{})
	p, facts := load(b, cfg), someFacts()
	for b.Loop() {
		if d, err := p.Admit(context.Background(), facts); err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}
