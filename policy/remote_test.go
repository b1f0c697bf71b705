package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

// pipe is an Evaluator whose far side is in this process.
type pipe struct {
	server policy.Server
	calls  int
}

func (p *pipe) Evaluate(ctx context.Context, request []byte) ([]byte, error) {
	p.calls++
	return p.server.Serve(ctx, request), nil
}

// What a child answers is what this process would have said.
func TestRemoteIsLocal(t *testing.T) {
	facts := []policy.Facts{someFacts(), {}}
	unsigned := someFacts()
	unsigned.Verified = policy.Verified{}
	facts = append(facts, unsigned)
	for i, cfg := range []policy.Config{
		shipped(t),
		withRego(t, "package krmsafe.admit\n\nallow if input.verified.signed\nlimits := {\"fuel\": 1000}\nreasons contains {\"id\": \"a.b\", \"message\": \"m\"} if not input.verified.signed\n"),
		withRego(t, "package krmsafe.admit\n\nallow := to_number(input.request.reference) == 1\n"),
	} {
		local := load(t, cfg)
		evaluator := &pipe{}
		cfg.Evaluator = evaluator
		remote := load(t, cfg)
		if local.Digest() != remote.Digest() {
			t.Errorf("%d: digest %s over the pipe, %s here", i, remote.Digest(), local.Digest())
		}
		for _, f := range facts {
			want, err := local.Admit(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			got, err := remote.Admit(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d: the decision differs over the pipe:\n%s", i, diff)
			}
		}
		want, _ := local.Check(context.Background(), someChanges())
		got, err := remote.Check(context.Background(), someChanges())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%d: the check differs over the pipe: %v\n%s", i, err, diff)
		}
		if evaluator.calls != 5 {
			t.Errorf("%d: %d calls, want 5", i, evaluator.calls)
		}
	}
}

func TestRemoteErrorsKeepTheirType(t *testing.T) {
	cfg := withRego(t, "package krmsafe.admit\n\nallow if input.nope\n")
	cfg.Evaluator = &pipe{}
	_, err := policy.Load(context.Background(), cfg)
	var compile *policy.CompileError
	if !errors.As(err, &compile) || compile.Errors[0].Row != 3 {
		t.Errorf("Load = %v, want a CompileError with its position", err)
	}
	cfg = withRego(t, "package krmsafe.admit\n\nallow := true\n")
	cfg.Evaluator = &pipe{}
	_, err = policy.Load(context.Background(), cfg)
	var refused *policy.LoadError
	if !errors.As(err, &refused) || refused.Code != "policy.permissive" {
		t.Errorf("Load = %v, want policy.permissive", err)
	}
}

// evaluatorFunc fails or lies as a test asks.
type evaluatorFunc func(request []byte) ([]byte, error)

func (f evaluatorFunc) Evaluate(_ context.Context, request []byte) ([]byte, error) { return f(request) }

// loading answers the request that loads and leaves the rest to then.
func loading(then evaluatorFunc) evaluatorFunc {
	return func(request []byte) ([]byte, error) {
		if bytes.Contains(request, []byte(`"entry":""`)) {
			return []byte(`{"digest":"sha256:00"}`), nil
		}
		return then(request)
	}
}

func TestEvaluatorThatRunsOut(t *testing.T) {
	for want, cause := range map[string]error{policy.ReasonTimeout: policy.ErrTimeout, policy.ReasonMemory: policy.ErrMemory, policy.ReasonCrash: policy.ErrCrash} {
		cfg := shipped(t)
		cfg.Evaluator = loading(func([]byte) ([]byte, error) { return nil, fmt.Errorf("child: %w", cause) })
		d, err := load(t, cfg).Admit(context.Background(), someFacts())
		if err != nil || d.Allow || ids(d.Reasons) != want {
			t.Errorf("Admit = %+v, %v; want %s", d, err, want)
		}
		cfg.Evaluator = evaluatorFunc(func([]byte) ([]byte, error) { return nil, cause })
		var refused *policy.LoadError
		if _, err := policy.Load(context.Background(), cfg); !errors.As(err, &refused) || refused.Code != want {
			t.Errorf("Load = %v, want %s", err, want)
		}
	}
}

// A reason that the child found keeps its id.
func TestReasonFromTheChild(t *testing.T) {
	cfg := shipped(t)
	cfg.Evaluator = loading(func([]byte) ([]byte, error) {
		return []byte(`{"reason":{"id":"policy.eval","message":"m","remedy":""}}`), nil
	})
	d, err := load(t, cfg).Admit(context.Background(), someFacts())
	if err != nil || d.Allow || ids(d.Reasons) != policy.ReasonEval {
		t.Errorf("Admit = %+v, %v; want %s", d, err, policy.ReasonEval)
	}
}

// A child that died, lies or babbles never makes an allow.
func TestEvaluatorThatLies(t *testing.T) {
	tests := map[string]string{
		"nothing":        ``,
		"empty object":   `{}`,
		"null":           `null`,
		"bare allow":     `{"value":{"json":true}}`,
		"other key":      `{"allow":true}`,
		"two documents":  `{"value":{"json":{"allow":true}}}{}`,
		"digest only":    `{"digest":"sha256:00"}`,
		"value and fail": `{"value":{"json":{"allow":true,"reasons":[]}},"failed":"x"}`,
		"value, reason":  `{"value":{"json":{"allow":true,"reasons":[]}},"reason":{"id":"a.b","message":"m","remedy":""}}`,
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := shipped(t)
			cfg.Evaluator = loading(func([]byte) ([]byte, error) { return []byte(answer), nil })
			d, err := load(t, cfg).Admit(context.Background(), someFacts())
			if d.Allow {
				t.Errorf("Admit = %+v, %v", d, err)
			}
		})
	}
}

func TestServeAnswersAnything(t *testing.T) {
	var s policy.Server
	for _, request := range []string{
		"", "{", "[]", "{}", "\n", "{}\n", "{}\n{}", "{}\n{}\n", `{"nope":1}` + "\n{}\n", strings.Repeat("[", 100000) + "\n", `{"given":true}` + "\n{}\n",
		`{}` + "\n" + `{"entry":"krmsafe.admit","bytes":2}` + "\n{}", `{"params":-1}` + "\n{}\n", `{"params":9223372036854775807}` + "\n{}\n",
		`{"sources":[{"name":"a","bytes":5},{"name":"b","bytes":-5}]}` + "\n12345{}\n", `{"sources":[{"name":"a","bytes":100}],"given":true}` + "\n12345{}\n",
		policyLine + `{"entry":"krmsafe.admit","bytes":3}` + "\n{}", policyLine + `{"entry":"krmsafe.admit","bytes":1}` + "\n{}",
		policyLine + `{"entry":"krmsafe.nobody","bytes":2}` + "\n{}", policyLine + `{"entry":"krmsafe.admit","bytes":2}` + "\n{{",
	} {
		answer := s.Serve(context.Background(), []byte(request))
		if !json.Valid(answer) || bytes.Contains(answer, []byte(`"value"`)) {
			t.Errorf("Serve(%.20q) = %.100q", request, answer)
		}
	}
}

// policyLine is the first part of a request: a policy that allows nothing.
const policyLine = `{"sources":[{"name":"a.rego","bytes":36}],"given":true}` + "\npackage krmsafe.admit\nallow := false"

// TestServeTellsPoliciesApart asks one child about one policy twice, and about another.
func TestServeTellsPoliciesApart(t *testing.T) {
	var s policy.Server
	for range 2 { // the second finds it compiled
		answer := s.Serve(context.Background(), []byte(policyLine+`{"entry":"krmsafe.admit","bytes":2}`+"\n{}"))
		if want := `{"value":{"json":{"allow":false}}}`; string(answer) != want {
			t.Errorf("Serve = %s, want %s", answer, want)
		}
	}
	other := strings.Replace(policyLine, "allow := false", "limits := {}  ", 1)
	answer := s.Serve(context.Background(), []byte(other+`{"entry":"krmsafe.admit","bytes":2}`+"\n{}"))
	if want := `{"value":{"json":{"limits":{}}}}`; string(answer) != want {
		t.Errorf("Serve = %s, want %s", answer, want)
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(policyLine + `{"entry":"krmsafe.admit","bytes":2}` + "\n{}"))
	f.Add([]byte(`{"params":2,"library":[{"name":"l","bytes":1}],"sources":[],"given":false}` + "\n#{}" + `{"entry":"","bytes":0}` + "\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		var s policy.Server
		if answer := s.Serve(context.Background(), request); !json.Valid(answer) {
			t.Errorf("Serve(%q) = %q, want JSON", request, answer)
		}
	})
}
