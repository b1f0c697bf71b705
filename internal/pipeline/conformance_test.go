package pipeline_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/conformance"
)

const suite = "../../testdata/conformance"

// probes are the functions of the suite that do more than answer.
var probes = map[string]func() []byte{
	"environ.wasm": func() []byte {
		return asm.Environ([]byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n"))
	},
	"stdio-paths.wasm": asm.StdioPaths,
}

// TestConformanceFunctions holds the modules of the suite to what makes them.
func TestConformanceFunctions(t *testing.T) {
	for name, module := range probes {
		path := filepath.Join(suite, "functions", name)
		if *update {
			if err := os.WriteFile(path, module(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != string(module()) {
			t.Errorf("%s is not what its assembler makes (%v); -update rewrites it", path, err)
		}
	}
}

// fromRun are the expectations that only a run meets: what the baseline policy says, what the operator is told of the
// results where that is not what the function said, and what a function saw of the world.
var fromRun = []string{"want/policy", "want/reported", "want/stderr", "want/exit"}

// open lets a function change what the codec lets it: what the suite expects of the codec is not to be hidden by the
// baseline's refusal. What the baseline says of a case is an expectation of its own.
const open = careful + `
changes := {
	"only": ["any"],
	"add": [{"group": "", "kind": "ConfigMap"}],
	"remove": [{"group": "", "kind": "ConfigMap"}, {"group": "example.com", "kind": "Maker"}],
	"protected": [{"group": "", "kind": "Secret"}],
}

grants := {"stdioPaths": `

// TestConformance runs each case of the suite through the whole pipeline: the function is a module that writes the
// case's answer, or one that the case names.
func TestConformance(t *testing.T) {
	cases, err := conformance.Load(suite)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			report := carryOut(t, c)
			if report == nil {
				return
			}
			if c.Function == "" {
				compare(t, c, report)
			}
			got := ran(c, report)
			if *update {
				if err := c.Update(got, fromRun...); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(c.Want(fromRun...), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.Why, diff)
			}
		})
	}
}

// carryOut runs a case. It is nil where there is no run, as the input is refused before.
func carryOut(t *testing.T, c *conformance.Case) *pipeline.Report {
	t.Helper()
	input, err := krm.ReadStream([]byte(c.Files[conformance.Input]), krm.DefaultLimits())
	if err != nil {
		if !strings.HasPrefix(c.Files["want/error"], "input.") {
			t.Fatal(err)
		}
		return nil
	}
	grant := "false}\n"
	if len(c.Grants) > 0 {
		grant = "true}\n"
	}
	// As random as the codec's own test of the suite: the placeholders are the same.
	p := setup{rego: open + grant, random: rand.NewChaCha8([32]byte{1})}.pipeline(t)
	return run(t, p, pipeline.Request{File: file(t, moduleOf(t, c)), Input: input, FailOn: pipeline.FailNever, Role: c.Role})
}

func moduleOf(t *testing.T, c *conformance.Case) []byte {
	t.Helper()
	if c.Function != "" {
		module, err := os.ReadFile(filepath.Join(suite, "functions", c.Function))
		if err != nil {
			t.Fatal(err)
		}
		return module
	}
	answer, given := c.Files[conformance.Answer]
	if !given {
		return asm.Cat()
	}
	code, err := strconv.ParseUint("0"+strings.TrimSpace(c.Files[conformance.Exit]), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return asm.Emit([]byte(answer), nil, uint32(code))
}

// compare holds a run against what the suite expects of the codec.
func compare(t *testing.T, c *conformance.Case, report *pipeline.Report) {
	t.Helper()
	code, _, _ := strings.Cut(c.Files["want/error"], "\n")
	if o := report.Outcome; code != o.Code && (code != "" || !o.OK && o.Code != "policy.output_denied") {
		t.Errorf("the run ended with %q (%s), want %q", o.Code, o.Message, code)
	}
	if n := strings.Count(c.Files["want/results"], "\n"); len(report.Results) != n {
		t.Errorf("the run reports %d results, want %d", len(report.Results), n)
	}
	if report.Emit == nil {
		return
	}
	emit := report.Emit.Encode
	if report.Emit.Plain {
		emit = report.Emit.Manifests
	}
	text, err := emit()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Files["want/out.yaml"], string(text)); diff != "" && c.Files["want/reported"] == "" {
		t.Errorf("what leaves the pipeline (-want +got):\n%s", diff)
	}
}

// ran is what only a run tells: what the function saw of the world, and what the baseline policy says of its changes.
func ran(c *conformance.Case, report *pipeline.Report) map[string]string {
	got := map[string]string{}
	if report.Check != nil {
		for _, r := range report.Check.Reasons {
			got["want/policy"] += r.ID + "\n"
		}
	}
	reported, same := "", true
	for i, r := range report.Results {
		reported += r.Severity + ": " + r.Message + "\n"
		said := strings.Split(c.Files["want/results"], "\n")
		same = same && i < len(said) && strings.HasPrefix(said[i], r.Severity+": ")
	}
	if !same {
		got["want/reported"] = reported
	}
	if c.Function != "" && report.Run != nil {
		got["want/stderr"] = strings.TrimSuffix(report.Run.Stderr, "\n") + "\n"
		got["want/exit"] = strconv.Itoa(int(report.Run.ExitCode)) + "\n"
	}
	return got
}
