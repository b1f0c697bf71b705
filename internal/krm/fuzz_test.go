package krm_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// small bounds keep a fuzzer from spending its time on size.
func small() krm.Limits {
	return krm.Limits{Bytes: 1 << 16, Items: 200, Nodes: 5000, Depth: 32, Results: 20, Files: 100}
}

func seeds() []string {
	return []string{
		wrap(pod + secret), wrap(deployment + configMap), wrap("  []\n"), "", "---\n" + wrap(pod) + "---\n",
		strings.ReplaceAll(wrap(pod), "\n", "\r\n"), wrap("- &a {apiVersion: v1, kind: Pod, x: &b [1], y: *b}\n"),
		wrap("- apiVersion: v1\n  kind: Pod\n  <<: {a: b}\n"), wrap(pod) + "functionConfig: {a: b}\nresults: [{message: x}]\n",
		`{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList","items":[{"apiVersion":"v1","kind":"Pod","a":[1,2.5,null]}]}`,
		"apiVersion: v1\nkind: Pod\n---\n# x\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]\n",
		wrap("- apiVersion: v1\n  kind: Pod\n  a: \"x\n- apiVersion: v1\n  kind: Secret\"\n"),
		wrap("- apiVersion: v1\n  kind: Pod\n  a: |\n    - x\r  b: c\n"), wrap("  # c\n  - apiVersion: v1\n    kind: Pod\n\n  # d\n"),
		"items:\n- a\napiVersion: \"\nitems:\n- b\n\"\n", wrap("- apiVersion: v1\n  kind: Pod\n  a: |2-\n      x\n     y\n  b: >+\n    z\n\n\n"),
	}
}

// items are the resources of a list as YAML values, as another reader of the same text sees them.
func items(t *testing.T, doc []byte) []any {
	t.Helper()
	var list struct {
		Items []any `yaml:"items"`
	}
	if err := yaml.Unmarshal(doc, &list); err != nil {
		t.Fatalf("another reader refuses what Parse accepts: %v\n%s", err, doc)
	}
	return list.Items
}

// FuzzParse demands that whatever Parse accepts means the same to kyaml's parser, which reads the document whole,
// that what Encode writes for it means the same again, and that an error comes without a list.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rl, err := krm.Parse(data, small())
		if err != nil {
			se, ok := errors.AsType[*krm.SyntaxError](err)
			if rl != nil || !ok || !strings.HasPrefix(se.Code, "input.") {
				t.Fatalf("Parse = %v, %v, want no list and a *SyntaxError", rl, err)
			}
			return
		}
		once, err := rl.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := krm.Parse(once, krm.DefaultLimits())
		if err != nil {
			t.Fatalf("what Encode wrote cannot be read: %v\n%s", err, once)
		}
		twice, err := again.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("Encode is not stable:\n%s", cmp.Diff(string(once), string(twice)))
		}
		if len(rl.Items) != len(again.Items) {
			t.Fatalf("%d items became %d", len(rl.Items), len(again.Items))
		}
		if diff := cmp.Diff(items(t, data), items(t, once)); diff != "" {
			t.Errorf("Encode changes values (-want +got):\n%s\nin:\n%s\nout:\n%s", diff, data, once)
		}
	})
}

// FuzzReadStream demands that printing what was read and reading it again gives the same resources.
func FuzzReadStream(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rl, err := krm.ReadStream(data, small())
		if err != nil {
			if _, ok := errors.AsType[*krm.SyntaxError](err); !ok || rl != nil {
				t.Fatalf("ReadStream = %v, %v, want no list and a *SyntaxError", rl, err)
			}
			return
		}
		plain, err := rl.Manifests()
		if err != nil {
			t.Fatal(err)
		}
		again, err := krm.ReadStream(plain, krm.DefaultLimits())
		if err != nil {
			t.Fatalf("what Manifests wrote cannot be read: %v\n%s", err, plain)
		}
		if len(again.Items) != len(rl.Items) {
			t.Fatalf("%d items became %d:\n%s", len(rl.Items), len(again.Items), plain)
		}
		for i, it := range rl.Items {
			if diff := cmp.Diff(value(t, it), value(t, again.Items[i])); diff != "" && !strings.Contains(string(data), "config.kubernetes.io") {
				t.Errorf("item %d has other values (-want +got):\n%s\nread:\n%s", i, diff, plain)
			}
		}
	})
}

// FuzzOutput takes any text for a function's answer. Whatever is accepted must leave no placeholder, no function
// annotation, no steering object and no internal annotation that the input did not have, must be readable, and must be
// told of: the changes applied to the input give what leaves.
func FuzzOutput(f *testing.F) {
	const in = pod + secret + "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: c, annotations: {internal.config.kubernetes.io/id: x}}\n  data: {a: b}\n"
	first, err := krm.Parse([]byte(wrap(in)), krm.DefaultLimits())
	if err != nil {
		f.Fatal(err)
	}
	x, err := krm.NewExchange(first, krm.View{}, random())
	if err != nil {
		f.Fatal(err)
	}
	shown := string(x.Input())
	f.Add([]byte(shown))
	f.Add([]byte(strings.Replace(shown, "busybox", "::x", 1)))
	f.Add([]byte(strings.Replace(shown, "name: p # who", "name: p\n    labels: {a: b}", 1)))
	f.Add([]byte(shown + "- {apiVersion: v1, kind: Pod, metadata: {name: n, annotations: {internal.config.kubernetes.io/path: a.yaml}}}\n"))
	f.Add([]byte(strings.ReplaceAll(shown, "kind: Pod", "kind: Pot")))
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rl, err := krm.Parse([]byte(wrap(in)), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		x, err := krm.NewExchange(rl, krm.View{}, random())
		if err != nil {
			t.Fatal(err)
		}
		out, err := x.Output(data, small())
		if err != nil {
			oe, ok := errors.AsType[*krm.OutputError](err)
			if out != nil || !ok || !strings.HasPrefix(oe.Code, "output.") {
				t.Fatalf("Output = %v, %v, want nothing and an *OutputError", out, err)
			}
			return
		}
		text := encode(t, out.List)
		emitted, err := krm.ParseOutput([]byte(text), krm.DefaultLimits())
		if err != nil {
			t.Fatalf("what leaves cannot be read: %v\n%s", err, text)
		}
		for _, never := range []string{placeholder(shown, "note"), placeholder(shown, "user"), "kustomize.config.k8s.io/v1"} {
			if strings.Contains(text, never) {
				t.Errorf("%q leaves:\n%s", never, text)
			}
		}
		for _, it := range emitted.Items {
			n, err := it.Node()
			if err != nil {
				t.Fatal(err)
			}
			doc, err := yaml.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			config, err := krm.ParseConfig("", doc, krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if a, err := krm.ParseFunction(config); !errors.Is(err, krm.ErrNoFunction) {
				t.Errorf("a function annotation leaves: %v, %v\n%s", a, err, text)
			}
		}
		names := map[string]bool{}
		for _, it := range out.List.Items {
			names[key(it.Identity)] = true
		}
		if len(names) == len(out.List.Items) && !secretChanged(out.Changes) {
			checkIdentity(t, rl, out, emitted)
		}
	})
}

func secretChanged(list []krm.Change) bool {
	for _, c := range list {
		if c.Resource.Kind == "Secret" && c.Resource.Group == "" {
			return true // its values are masked
		}
	}
	return false
}

// FuzzParseFunction demands that a function annotation that is accepted names exactly one module.
func FuzzParseFunction(f *testing.F) {
	for _, s := range []string{"wasip1: {file: a}", "wasip1:\n  image: b", "exec: {path: x}", "{}", "wasip1: {file: a, image: b}", "&a wasip1: *a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		doc, err := yaml.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Fn", "metadata": map[string]any{"annotations": map[string]any{"config.kubernetes.io/function": annotation}},
		})
		if err != nil {
			t.Skip() // not text
		}
		config, err := krm.ParseConfig("", doc, small())
		if err != nil {
			return
		}
		spec, err := krm.ParseFunction(config)
		if err != nil {
			if spec != (krm.FunctionSpec{}) {
				t.Errorf("ParseFunction(%q) = %v with the error %v", annotation, spec, err)
			}
			return
		}
		if (spec.File == "") == (spec.Image == "") || !strings.Contains(annotation, "wasip1") {
			t.Errorf("ParseFunction(%q) = %+v", annotation, spec)
		}
	})
}

// FuzzResults demands that results have a severity and stay within their bound.
func FuzzResults(f *testing.F) {
	for _, s := range []string{"[{message: a}]", "{items: [{message: a, severity: info}]}", "[{field: {path: x, currentValue: [1]}, file: {index: 3}, tags: {a: 1}}]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, results string) {
		list, err := krm.ParseResults([]byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nresults: "+results+"\n"), small())
		if err != nil && list != nil || len(list) > small().Results {
			t.Errorf("ParseResults = %d results, %v", len(list), err)
		}
		for _, r := range list {
			if r.Severity != krm.SeverityError && r.Severity != krm.SeverityWarning && r.Severity != krm.SeverityInfo {
				t.Errorf("a result has the severity %q", r.Severity)
			}
		}
	})
}

// FuzzRewrite takes any text for a file of a directory. A function that changes nothing must change no file; where it
// drops or labels one resource, the file must hold exactly that afterwards, and every other resource as it was.
func FuzzRewrite(f *testing.F) {
	for _, s := range append(seeds(), "\xef\xbb\xbf# x\r\n---\r\napiVersion: v1\r\nkind: Pod\r\n---\r\na: b\r\n...\r\n--- {apiVersion: v1, kind: Pod, metadata: {name: x}}\r\n") {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, action uint8) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "f.yaml"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := krm.OpenDirectory(dir, small(), krm.Skip{})
		if err != nil {
			return
		}
		defer d.Close() //nolint:errcheck // only read from
		plan, err := d.Plan(d.List)
		if err != nil || len(plan) != 0 {
			t.Fatalf("nothing changed, and the plan is %v, %v", plan, err)
		}
		if len(d.List.Items) == 0 {
			return
		}
		victim := int(action/2) % len(d.List.Items)
		x, err := krm.NewExchange(d.List, krm.View{Secrets: krm.SecretValues}, random())
		if err != nil {
			t.Fatal(err)
		}
		out, err := x.Output(acted(t, x.Input(), victim, action%2 == 0), krm.DefaultLimits())
		if err != nil {
			return // the resource may be one that a function may not touch, or may be there twice
		}
		if plan, err = d.Plan(out.List); err != nil {
			t.Fatal(err)
		}
		if err := d.Write(plan, krm.WriteOptions{AllowDelete: true}); err != nil {
			t.Fatal(err)
		}
		again, err := krm.ReadPath(dir, krm.DefaultLimits())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\nbefore:\n%q\nplan: %v", err, data, plan)
		}
		if len(again.Items) != len(out.List.Items) {
			t.Fatalf("%d resources were written and %d are there\nbefore:\n%q", len(out.List.Items), len(again.Items), data)
		}
		for i, it := range out.List.Items {
			if diff := cmp.Diff(value(t, it), value(t, again.Items[i])); diff != "" {
				t.Errorf("resource %d was written otherwise (-want +got):\n%s\nbefore:\n%q", i, diff, data)
			}
		}
	})
}

// acted drops or labels one item of a ResourceList.
func acted(t *testing.T, in []byte, victim int, drop bool) []byte {
	t.Helper()
	var b bytes.Buffer
	rw := &kio.ByteReadWriter{Reader: bytes.NewReader(in), Writer: &b, KeepReaderAnnotations: true}
	nodes, err := rw.Read()
	if err != nil {
		t.Fatal(err)
	}
	if drop {
		nodes = slices.Delete(nodes, victim, victim+1)
	} else if err := nodes[victim].PipeE(yaml.SetLabel("team", "one")); err != nil {
		return in
	}
	if err := rw.Write(nodes); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
