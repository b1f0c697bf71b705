package krm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

func config(t *testing.T, annotations string) *krm.Object {
	t.Helper()
	o, err := krm.ParseConfig("fn.yaml", []byte("apiVersion: example.com/v1\nkind: Fn\nmetadata:\n  name: x\n"+annotations), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func annotated(key, value string) string {
	return "  annotations:\n    " + key + ": |\n      " + strings.ReplaceAll(value, "\n", "\n      ") + "\n"
}

func TestParseFunction(t *testing.T) {
	t.Parallel()
	const key = "config.kubernetes.io/function"
	for _, tt := range []struct {
		name, annotations string
		want              krm.FunctionSpec
		code              string
	}{
		{"image", annotated(key, "wasip1:\n  image: ghcr.io/x/y:v1"), krm.FunctionSpec{Image: "ghcr.io/x/y:v1"}, ""},
		{"file", annotated(key, "wasip1: {file: ../bin/f.wasm}"), krm.FunctionSpec{File: "../bin/f.wasm"}, ""},
		{"legacy key", annotated("config.k8s.io/function", "wasip1: {file: f.wasm}"), krm.FunctionSpec{File: "f.wasm"}, ""},
		{"both keys agree", annotated(key, "wasip1: {file: f}") + "    config.k8s.io/function: |\n      wasip1: {file: f}\n", krm.FunctionSpec{File: "f"}, ""},
		{"both keys differ", annotated(key, "wasip1: {file: f}") + "    config.k8s.io/function: |\n      wasip1: {file: g}\n", krm.FunctionSpec{}, "function.conflict"},
		{"both", annotated(key, "wasip1: {file: f, image: g}"), krm.FunctionSpec{}, "function.malformed"},
		{"neither", annotated(key, "wasip1: {}"), krm.FunctionSpec{}, "function.malformed"},
		{"nothing", annotated(key, "{}"), krm.FunctionSpec{}, "function.malformed"},
		{"text", annotated(key, "wasip1"), krm.FunctionSpec{}, "function.malformed"},
		{"not text", "  annotations: {config.kubernetes.io/function: {wasip1: {file: f}}}\n", krm.FunctionSpec{}, "function.malformed"},
		{"container", annotated(key, "container: {image: x}"), krm.FunctionSpec{}, "function.runtime"},
		{"exec", annotated(key, "exec: {path: ./x}"), krm.FunctionSpec{}, "function.runtime"},
		{"starlark", annotated(key, "starlark: {path: x}"), krm.FunctionSpec{}, "function.runtime"},
		{"exec beside wasip1", annotated(key, "wasip1: {file: f}\nexec: {path: ./x}"), krm.FunctionSpec{}, "function.runtime"},
		{"unknown", annotated(key, "wasip2: {file: f}"), krm.FunctionSpec{}, "function.key"},
		{"unknown below", annotated(key, "wasip1: {file: f, network: true}"), krm.FunctionSpec{}, "function.key"},
		{"twice", annotated(key, "wasip1: {file: f, file: g}"), krm.FunctionSpec{}, "function.duplicate_key"},
		{"alias", annotated(key, "wasip1: &a {file: f}"), krm.FunctionSpec{}, "function.anchor"},
		{"broken", annotated(key, "wasip1: {file: f"), krm.FunctionSpec{}, "function.syntax"},
		{"two documents", annotated(key, "wasip1: {file: f}\n---\nexec: {path: x}"), krm.FunctionSpec{}, "function.documents"},
		{"number", annotated(key, "wasip1: {file: 1}"), krm.FunctionSpec{}, "function.malformed"},
		{"escape in the path", annotated(key, `wasip1: {file: "a\u001b[2Jb"}`), krm.FunctionSpec{}, "function.control"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := krm.ParseFunction(config(t, tt.annotations))
			code := ""
			if se, ok := errors.AsType[*krm.SyntaxError](err); ok {
				code = se.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || code != tt.code {
				t.Errorf("ParseFunction = %v, %v (%v), want %v, %q", got, code, err, tt.want, tt.code)
			}
		})
	}
	if _, err := krm.ParseFunction(config(t, "")); !errors.Is(err, krm.ErrNoFunction) {
		t.Errorf("ParseFunction without annotation = %v, want ErrNoFunction", err)
	}
	if _, err := krm.ParseFunction(nil); !errors.Is(err, krm.ErrNoFunction) {
		t.Errorf("ParseFunction(nil) = %v, want ErrNoFunction", err)
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	want := []krm.Result{
		{Message: "no tag", Severity: "error", ResourceRef: &krm.ResourceRef{APIVersion: "v1", Kind: "Pod", Name: "p"}, Field: &krm.ResultField{Path: "spec.x", CurrentValue: "1", ProposedValue: "{a: [1, 2]}"}, File: &krm.ResultFile{Path: "a.yaml", Index: 2}, Tags: map[string]string{"k": "v"}, Unstated: true},
		{Message: "fine", Severity: "info"},
	}
	body := `
- message: no tag
  resourceRef: {apiVersion: v1, kind: Pod, name: p}
  field: {path: spec.x, currentValue: 1, proposedValue: {a: [1, 2]}}
  file: {path: a.yaml, index: 2}
  tags: {k: v}
- {message: fine, severity: info}
`
	for _, tt := range []struct{ name, in string }{
		{"spec", wrap("  []\nresults:") + body},
		{"wrapped", wrap("  []\nresults:\n  name: x\n  items:") + strings.ReplaceAll(body, "\n", "\n  ")},
		{"no items", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nresults:" + body},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := krm.ParseResults([]byte(tt.in), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseResults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutputRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, code string }{
		{"empty", "", "output.malformed"},
		{"log line first", "starting up\napiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n", "output.syntax"},
		{"bare documents", "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Pod\n", "output.documents"},
		{"bare list", "apiVersion: v1\nkind: List\nitems: []\n", "output.malformed"},
		{"no items", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n", "output.items_missing"},
		{"anchor", wrap("- apiVersion: v1\n  kind: &k Pod\n"), "output.anchor"},
		{"merge", wrap("- apiVersion: v1\n  kind: Pod\n  <<: {a: b}\n"), "output.anchor"},
		{"list", wrap("- {apiVersion: v1, kind: List, items: []}\n"), "output.list"},
		{"role list", wrap("- {apiVersion: v1, kind: PodList, items: []}\n"), "output.list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := krm.ParseOutput([]byte(tt.in), krm.DefaultLimits())
			if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != tt.code {
				t.Errorf("ParseOutput = %v, want %s", err, tt.code)
			}
		})
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, code string }{
		{"object", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n", ""},
		{"anchors", "apiVersion: v1\nkind: ConfigMap\ndata: {a: &x b, c: *x}\n", ""},
		{"nothing", "", "input.config"},
		{"text", "hello\n", "input.config"},
		{"two", "a: b\n---\nc: d\n", "input.documents"},
		{"key twice", "a: b\na: c\n", "input.duplicate_key"},
		{"broken", "a: [b\n", "input.syntax"},
		{"kind is a list", "kind: [a]\n", "input.item"},
		{"too large", "a: " + strings.Repeat("b", 1<<17) + "\n", "input.limit.bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := krm.DefaultLimits()
			limits.Bytes = 1 << 16
			o, err := krm.ParseConfig("fn.yaml", []byte(tt.in), limits)
			code := ""
			if se, ok := errors.AsType[*krm.SyntaxError](err); ok {
				code = se.Code
				if !strings.HasPrefix(se.Error(), `"fn.yaml": `) {
					t.Errorf("the error does not name the file: %v", se)
				}
			}
			if code != tt.code || (o == nil) != (tt.code != "") {
				t.Errorf("ParseConfig = %v, %v, want %q", o, err, tt.code)
			}
		})
	}
}
