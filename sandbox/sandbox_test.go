package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

func TestNewRefusesUnknownWords(t *testing.T) {
	for _, cfg := range []sandbox.Config{{Engine: "jit"}, {Jail: "most"}} {
		if _, err := sandbox.New(cfg); err == nil {
			t.Errorf("New(%+v) = nil, want an error", cfg)
		}
	}
}

// The zero Limits run nothing, and neither does any limit left out.
func TestEveryLimitIsNeeded(t *testing.T) {
	s, m := newSandbox(t, sandbox.Config{}), inspect(t, asm.Cat())
	for _, tc := range []struct {
		field string
		clear func(*sandbox.Limits)
	}{
		{"MemoryPages", func(l *sandbox.Limits) { *l = sandbox.Limits{} }},
		{"MemoryPages", func(l *sandbox.Limits) { l.MemoryPages = 0 }},
		{"MemoryPages", func(l *sandbox.Limits) { l.MemoryPages = 65537 }},
		{"TableElements", func(l *sandbox.Limits) { l.TableElements = 0 }},
		{"CallDepth", func(l *sandbox.Limits) { l.CallDepth = 0 }},
		{"Fuel", func(l *sandbox.Limits) { l.Fuel = 0 }},
		{"Fuel", func(l *sandbox.Limits) { l.Fuel = 1 << 63 }},
		{"Timeout", func(l *sandbox.Limits) { l.Timeout = 0 }},
		{"Timeout", func(l *sandbox.Limits) { l.Timeout = -time.Second }},
		{"CompileTimeout", func(l *sandbox.Limits) { l.CompileTimeout = 0 }},
		{"CompileBytes", func(l *sandbox.Limits) { l.CompileBytes = 0 }},
		{"OutputBytes", func(l *sandbox.Limits) { l.OutputBytes = 0 }},
		{"StderrBytes", func(l *sandbox.Limits) { l.StderrBytes = -1 }},
	} {
		l := ample()
		tc.clear(&l)
		_, err := s.Run(t.Context(), m, nil, l)
		var limits *sandbox.LimitsError
		if !errors.As(err, &limits) || limits.Field != tc.field {
			t.Errorf("Run(%+v) = %v, want a LimitsError about %s", l, err, tc.field)
		}
	}
}

func TestPrepareIsUsedOnce(t *testing.T) {
	s := newSandbox(t, sandbox.Config{})
	first, err := s.Prepare(t.Context())
	if err != nil || !first.Complete() {
		t.Fatalf("Prepare = %+v, %v", first, err)
	}
	if _, err := s.Prepare(t.Context()); err != nil {
		t.Fatalf("second Prepare = %v", err)
	}
	m := inspect(t, asm.Cat())
	for _, in := range []string{"one", "two"} {
		r, err := s.Run(t.Context(), m, []byte(in), ample())
		if err != nil || string(r.Stdout) != in {
			t.Errorf("Run = %v, %v, want %s", r, err, in)
		}
	}
}

func TestClosedSandboxRunsNothing(t *testing.T) {
	s := newSandbox(t, sandbox.Config{})
	if _, err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), inspect(t, asm.Cat()), nil, ample()); err == nil {
		t.Error("Run after Close = nil, want an error")
	}
	if _, err := s.Prepare(t.Context()); err == nil {
		t.Error("Prepare after Close = nil, want an error")
	}
}

func TestRunsAreConcurrent(t *testing.T) {
	s, m := newSandbox(t, sandbox.Config{}), inspect(t, asm.Cat())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			in := strings.Repeat(fmt.Sprint(i), 100_000)
			r, err := s.Run(t.Context(), m, []byte(in), ample())
			if err != nil || string(r.Stdout) != in {
				t.Errorf("Run %d = %v", i, err)
			}
		})
	}
	group.Wait()
}

// The caller's cancellation is an error, not a verdict; its deadline too.
func TestContextEndsRun(t *testing.T) {
	s, m := newSandbox(t, sandbox.Config{}), inspect(t, asm.Spin())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if r, err := s.Run(ctx, m, nil, ample()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run = %+v, %v, want context.DeadlineExceeded", r, err)
	}
	if _, err := s.Run(ctx, m, nil, ample()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run with an ended context = %v, want context.DeadlineExceeded", err)
	}
}

// A limit's message names its value and the way to move it.
func TestStopsNameTheLimit(t *testing.T) {
	l := ample()
	l.Fuel, l.OutputBytes = 12345, 777
	for _, tc := range []struct {
		module []byte
		words  []string
	}{
		{asm.Spin(), []string{"12345", "limits.fuel"}},
		{asm.Flood(1), []string{"777", "limits.outputBytes"}},
	} {
		if tc.words[0] == "777" {
			l.Fuel = 1 << 30
		}
		r := run(t, sandbox.Config{}, tc.module, "", l)
		if r.Stop == nil {
			t.Fatal("Stop = nil")
		}
		for _, w := range tc.words {
			if !strings.Contains(r.Stop.Message+" "+r.Stop.Hint, w) {
				t.Errorf("Stop = %+v, want it to name %q", r.Stop, w)
			}
		}
	}
}

// EngineAuto depends on the sizes of code and input alone.
func TestAutoChoosesByCost(t *testing.T) {
	m := &asm.Module{}
	f := m.Func(nil, nil, nil)
	for range 10 {
		f = m.Func(nil, nil, nil, slices.Repeat(asm.Code(asm.I32Const(1), asm.Drop), 20_000))
	}
	m.ExportFunc("_start", f)
	big := m.Bytes()
	for _, tc := range []struct {
		name   string
		module []byte
		input  int
		want   sandbox.Engine
	}{
		{"small module", asm.Cat(), 10, sandbox.EngineCompiler},
		{"large module, small input", big, 10, sandbox.EngineInterpreter},
		{"large module, large input", big, 1 << 20, sandbox.EngineCompiler},
	} {
		r := run(t, sandbox.Config{}, tc.module, strings.Repeat("x", tc.input), ample())
		if r.Engine != tc.want {
			t.Errorf("%s: engine %s, want %s", tc.name, r.Engine, tc.want)
		}
	}
}

// What less than a full jail leaves out is in the result.
func TestLesserJailIsRecorded(t *testing.T) {
	r := run(t, sandbox.Config{Jail: sandbox.JailNoneUnsafe}, asm.Cat(), "x", ample())
	if r.Jail.Complete() || r.Jail.Level != "none" || !slices.Contains(r.Jail.Missing(), "seccomp") {
		t.Errorf("Jail = %+v, want all but descriptors missing", r.Jail)
	}
	if string(r.Stdout) != "x" {
		t.Errorf("Stdout = %q with %v, want x", r.Stdout, r.Stop)
	}
}

// Whoever embeds this package gets neither OPA nor Sigstore nor Kubernetes.
func TestDependencies(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, foreign := range []string{"open-policy-agent", "sigstore", "sigs.k8s.io", "k8s.io", "oras.land", "cobra"} {
		if strings.Contains(string(out), foreign) {
			t.Errorf("the package depends on %s", foreign)
		}
	}
	golden(t, "testdata/dependencies.txt", out)
}
