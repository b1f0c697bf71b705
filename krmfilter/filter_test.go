package krmfilter_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/fn/runtime/runtimeutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/krmfilter"
	"github.com/krmsafe/krmsafe/policy"
)

// runfn asks functions that may defer their failures.
var _ interface {
	runtimeutil.DeferFailureFunction
	Filter([]*yaml.RNode) ([]*yaml.RNode, error)
} = (*krmfilter.Filter)(nil)

func TestUnchangedNodesComeBack(t *testing.T) {
	t.Parallel()
	nodes := read(t, shop)
	f := krmfilter.Filter{Judge: judge(t, krmfilter.Config{}), Context: within(t), Module: asm.Emit(listed(web+settings), nil, 0)}
	out, err := f.Filter(nodes)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[0] != nodes[1] || out[1] != nodes[0] {
		t.Errorf("Filter = %v, want the nodes that went in, in the function's order", out)
	}
	if f.GetExit() != nil {
		t.Errorf("GetExit = %v", f.GetExit())
	}
}

func TestChangedNodeKeepsStyleAndComments(t *testing.T) {
	t.Parallel()
	nodes := read(t, shop)
	before := write(t, nodes)
	f := krmfilter.Filter{Judge: judge(t, krmfilter.Config{}), Context: within(t), Module: asm.Emit(listed(settings+webTwo), nil, 0)}
	out, err := f.Filter(nodes)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[0] != nodes[0] || out[1] == nodes[1] {
		t.Fatalf("Filter = %v, want the first node as it was and a new second one", out)
	}
	want := strings.Replace(before, "  name: web\n", "  name: web\n  labels:\n    team: one\n", 1)
	if diff := cmp.Diff(want, write(t, out)); diff != "" {
		t.Errorf("what comes out (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, write(t, nodes)); diff != "" {
		t.Errorf("what went in was touched (-want +got):\n%s", diff)
	}
}

func TestNodesComeAndGo(t *testing.T) {
	t.Parallel()
	nodes := read(t, shop)
	made := "- {apiVersion: v1, kind: ConfigMap, metadata: {name: made, annotations: {internal.config.kubernetes.io/path: made.yaml, internal.config.kubernetes.io/prefixes: x}}}\n"
	rego := policy.Source{Name: "grants.rego", Text: []byte(`package krmsafe.admit

import data.krmsafe.lib.signature

default allow := false

allow if count(reasons) == 0

reasons contains r if some r in signature.required_or_accepted

changes := {"only": ["any"], "add": [{"group": "", "kind": "ConfigMap"}], "remove": [{"group": "", "kind": "ConfigMap"}]}
`)}
	f := krmfilter.Filter{
		Judge: judge(t, krmfilter.Config{Policy: krmfilter.Policy{Sources: []policy.Source{rego}}}), Context: within(t), Module: asm.Emit(listed(web+made), nil, 0),
	}
	out, err := f.Filter(nodes)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[0] != nodes[1] {
		t.Fatalf("Filter = %v", out)
	}
	want := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\n  annotations:\n    internal.config.kubernetes.io/path: made.yaml\n"
	if diff := cmp.Diff(want, write(t, out[1:])); diff != "" {
		t.Errorf("what was made (-want +got):\n%s", diff)
	}
}

// TestWhatIsNoResourceStays has values and a kustomization without a kind among resources that change places.
func TestWhatIsNoResourceStays(t *testing.T) {
	t.Parallel()
	nodes := read(t, "replicas: 3\n---\n"+shop+"---\nresources: [a.yaml]\nmetadata: {annotations: {config.kubernetes.io/path: kustomization.yaml}}\n")
	f := krmfilter.Filter{Judge: judge(t, krmfilter.Config{}), Context: within(t), Module: asm.Emit(listed(webTwo+settings), nil, 0)}
	out, err := f.Filter(nodes)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 4 || out[0] != nodes[0] || out[2] != nodes[3] || out[3] != nodes[1] {
		t.Errorf("Filter = %v", write(t, out))
	}
}

func TestHiddenNodesStay(t *testing.T) {
	t.Parallel()
	nodes := read(t, shop)
	f := krmfilter.Filter{
		Judge: judge(t, krmfilter.Config{}), Context: within(t), Module: asm.Emit(listed(webTwo), nil, 0), Exclude: []policy.Selector{{Kind: "ConfigMap"}},
	}
	out, err := f.Filter(nodes)
	if err != nil || len(out) != 2 || out[0] != nodes[0] || out[1] == nodes[1] {
		t.Errorf("Filter = %v, %v", out, err)
	}
}

// TestRefusals has functions, and settings, that are refused: no node comes back, none is touched.
func TestRefusals(t *testing.T) {
	t.Parallel()
	trusting := judge(t, krmfilter.Config{})
	strict, err := krmfilter.New(context.Background(), krmfilter.Config{Policy: krmfilter.Policy{Builtin: []string{"baseline"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = strict.Close() })
	fine := listed(settings + web)
	results := "results:\n- {message: bad, severity: error}\n"
	for _, tt := range []struct {
		name   string
		judge  *krmfilter.Judge
		module []byte
		role   string
		stage  string
		code   string
	}{
		{"nobody signed it", strict, asm.Emit(fine, nil, 0), "", "verify", "verify.unsigned_file"},
		{"no module", trusting, []byte("MZ"), "", "inspect", ""},
		{"removes a resource", trusting, asm.Emit(listed(web), nil, 0), "", "check", "policy.output_denied"},
		{"removes all", trusting, asm.Emit([]byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n"), nil, 0), "", "check", "policy.output_denied"},
		{"says nothing", trusting, asm.Emit(nil, nil, 0), "", "check", "output.malformed"},
		{"has no items", trusting, asm.Emit([]byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"), nil, 0), "", "check", "output.items_missing"},
		{"writes documents", trusting, asm.Emit([]byte(shop), nil, 0), "", "check", ""},
		{"fails", trusting, asm.Emit(fine, []byte("no luck"), 3), "", "run", "guest.exit"},
		{"fails with garbage", trusting, asm.Emit([]byte("\x00{["), nil, 3), "", "run", "guest.exit"},
		{"reports an error", trusting, asm.Emit(append(fine[:len(fine):len(fine)], results...), nil, 0), "", "check", "output.results"},
		{"never ends", trusting, asm.Spin(), "", "run", ""},
		{"traps", trusting, asm.Trap(), "", "run", "guest.trap"},
		{"plants a function", trusting, asm.Emit(listed(settings+strings.Replace(web, "{name: web}", "{name: web, annotations: {config.kubernetes.io/function: x}}", 1)), nil, 0), "", "check", "output.function_annotation"},
		{"a validator that changes", trusting, asm.Emit(listed(settings+webTwo), nil, 0), policy.RoleValidator, "check", "policy.output_denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nodes := read(t, shop)
			before := write(t, nodes)
			f := krmfilter.Filter{Judge: tt.judge, Context: within(t), Module: tt.module, Role: tt.role, Limits: policy.Limits{Fuel: 50_000_000}}
			out, err := f.Filter(nodes)
			var refused *krmfilter.RefusedError
			if !errors.As(err, &refused) || out != nil {
				t.Fatalf("Filter = %v, %v, want nothing and a *RefusedError", out, err)
			}
			if refused.Stage != tt.stage || tt.code != "" && refused.Code != tt.code || refused.Message == "" {
				t.Errorf("%+v, want %s at %s", refused, tt.code, tt.stage)
			}
			if f.GetExit() != err { //nolint:errorlint // the same error
				t.Errorf("GetExit = %v, want %v", f.GetExit(), err)
			}
			if diff := cmp.Diff(before, write(t, nodes)); diff != "" {
				t.Errorf("what went in was touched (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeferFailure(t *testing.T) {
	t.Parallel()
	j := judge(t, krmfilter.Config{})
	for _, tt := range []struct {
		name     string
		module   []byte
		deferred bool
	}{
		{"exit code", asm.Emit(listed(settings+webTwo+"results:\n- {message: bad, severity: error}\n"), []byte("why"), 3), true},
		{"results", asm.Emit(listed(settings+webTwo+"results:\n- {message: bad, severity: error}\n"), nil, 0), true},
		{"refused output", asm.Emit(listed(web), nil, 0), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var results []krmfilter.Result
			f := krmfilter.Filter{
				Judge: j, Context: within(t), Module: tt.module, DeferFailure: true, OnResults: func(r []krmfilter.Result) { results = r },
			}
			nodes := read(t, shop)
			out, err := f.Filter(nodes)
			if f.GetExit() == nil {
				t.Error("GetExit = nil")
			}
			if !tt.deferred {
				if err == nil || out != nil {
					t.Errorf("Filter = %v, %v, want an error", out, err)
				}
				return
			}
			if err != nil || len(out) != 2 || out[0] != nodes[0] || out[1] != nodes[1] {
				t.Errorf("Filter = %v, %v, want the nodes that went in", out, err)
			}
			want := []krmfilter.Result{{Severity: "error", Message: "bad", Tags: map[string]string{}}}
			if diff := cmp.Diff(want, results); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			// The same filter may run again, and a good end forgets the failure.
			f.Module = asm.Cat()
			if _, err := f.Filter(nodes); err != nil || f.GetExit() != nil {
				t.Errorf("running again = %v, GetExit = %v", err, f.GetExit())
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	j, ctx := judge(t, krmfilter.Config{}), within(t)
	cat := asm.Cat()
	var round yaml.Node
	round = yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "a"}, &round}}
	for _, tt := range []struct {
		name string
		f    krmfilter.Filter
		in   []*yaml.RNode
		code string
	}{
		{"zero", krmfilter.Filter{}, nil, "config.judge"},
		{"zero judge", krmfilter.Filter{Judge: &krmfilter.Judge{}, Context: ctx, Module: cat}, nil, "config.judge"},
		{"no context", krmfilter.Filter{Judge: j, Module: cat}, nil, "config.context"},
		{"no module", krmfilter.Filter{Judge: j, Context: ctx}, nil, "config.module"},
		{"two modules", krmfilter.Filter{Judge: j, Context: ctx, Module: cat, Image: "x/y:z"}, nil, "config.module"},
		{"unknown role", krmfilter.Filter{Judge: j, Context: ctx, Module: cat, Role: "mutator"}, nil, "config.usage"},
		{"unknown severity", krmfilter.Filter{Judge: j, Context: ctx, Module: cat, FailOn: "fatal"}, nil, "config.usage"},
		{"limits above the policy's", krmfilter.Filter{Judge: j, Context: ctx, Module: cat, Limits: policy.Limits{MemoryPages: 65536}}, nil, "config.usage"},
		{"nil node", krmfilter.Filter{Judge: j, Context: ctx, Module: cat}, []*yaml.RNode{nil}, "input.node"},
		{"a key twice", krmfilter.Filter{Judge: j, Context: ctx, Module: cat}, read(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {a: 1, a: 2}\n"), "input.duplicate_key"},
		{"a List", krmfilter.Filter{Judge: j, Context: ctx, Module: cat}, []*yaml.RNode{yaml.MustParse("apiVersion: v1\nkind: List\nitems: []\n")}, "input.list"},
		{"a cycle", krmfilter.Filter{Judge: j, Context: ctx, Module: cat}, []*yaml.RNode{yaml.NewRNode(&round)}, "input.limit.depth"},
		{"a nil child", krmfilter.Filter{Judge: j, Context: ctx, Module: cat}, []*yaml.RNode{yaml.NewRNode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{nil, nil}})}, "input.syntax"},
		{"spellings differ", krmfilter.Filter{Judge: j, Context: ctx, Module: cat}, read(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {config.kubernetes.io/path: a, internal.config.kubernetes.io/path: b}}\n"), "input.path"},
		{"functionConfig", krmfilter.Filter{Judge: j, Context: ctx, Module: cat, FunctionConfig: yaml.NewListRNode("a")}, nil, "input.config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := tt.f.Filter(tt.in)
			var bad *krmfilter.ConfigError
			if !errors.As(err, &bad) || out != nil || bad.Code != tt.code || bad.Message == "" {
				t.Errorf("Filter = %v, %#v, want a *ConfigError %s", out, err, tt.code)
			}
		})
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  krmfilter.Config
		code string
	}{
		{"zero", krmfilter.Config{}, "config.policy"},
		{"unknown policy", krmfilter.Config{Policy: krmfilter.Policy{Builtin: []string{"lax"}}}, "config.policy"},
		{"the library", krmfilter.Config{Policy: krmfilter.Policy{Builtin: []string{"lib"}}}, "config.policy"},
		{"a path", krmfilter.Config{Policy: krmfilter.Policy{Builtin: []string{"../policies/baseline"}}}, "config.policy"},
		{"unknown jail", krmfilter.Config{Policy: krmfilter.Policy{Builtin: []string{"baseline"}}, Jail: "some"}, "config.sandbox"},
	} {
		j, err := krmfilter.New(context.Background(), tt.cfg)
		var bad *krmfilter.ConfigError
		if j != nil || !errors.As(err, &bad) || bad.Code != tt.code {
			t.Errorf("%s: New = %v, %v, want %s", tt.name, j, err, tt.code)
		}
	}
}

// TestNodesMadeByHand has nodes without tags, as programs make them.
func TestNodesMadeByHand(t *testing.T) {
	t.Parallel()
	node := yaml.NewMapRNode(&map[string]string{"apiVersion": "v1", "kind": "ConfigMap"})
	if err := node.PipeE(yaml.LookupCreate(yaml.MappingNode, "metadata"), yaml.SetField("name", yaml.NewScalarRNode("c"))); err != nil {
		t.Fatal(err)
	}
	f := krmfilter.Filter{Judge: judge(t, krmfilter.Config{}), Context: within(t), Module: asm.Cat()}
	out, err := f.Filter([]*yaml.RNode{node})
	if err != nil || len(out) != 1 || out[0] != node {
		t.Errorf("Filter = %v, %v", out, err)
	}
}

// TestConcurrentFilters runs filters of one judge at the same time.
func TestConcurrentFilters(t *testing.T) {
	t.Parallel()
	j := judge(t, krmfilter.Config{})
	var wg sync.WaitGroup
	for range 6 {
		nodes := read(t, shop)
		f := krmfilter.Filter{Judge: j, Context: within(t), Module: asm.Cat()}
		wg.Go(func() {
			out, err := f.Filter(nodes)
			if err != nil || len(out) != 2 || out[0] != nodes[0] {
				t.Errorf("Filter = %v, %v", out, err)
			}
		})
	}
	wg.Wait()
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata: {password: aHVudGVyMg==}\n"
	nodes := read(t, secret)
	var report string
	f := krmfilter.Filter{
		Judge: judge(t, krmfilter.Config{}), Context: within(t), Module: asm.Cat(), OnReport: func(text []byte) { report = string(text) },
	}
	out, err := f.Filter(nodes)
	if err != nil || len(out) != 1 || out[0] != nodes[0] {
		t.Fatalf("Filter = %v, %v", out, err)
	}
	if !strings.Contains(report, `"redacted":1`) || !strings.Contains(report, `"exitCode":0`) || strings.Contains(report, "aHVudGVyMg") {
		t.Errorf("the report is %s", report)
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := krmfilter.Filter{Judge: judge(t, krmfilter.Config{}), Context: ctx, Module: asm.Spin()}
	if out, err := f.Filter(read(t, shop)); err == nil || out != nil {
		t.Errorf("Filter = %v, %v, want an error", out, err)
	}
}
