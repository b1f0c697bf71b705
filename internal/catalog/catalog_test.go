package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/catalog"
	"github.com/krmsafe/krmsafe/internal/krm"
)

var (
	sum    = strings.Repeat("a", 64)
	pinned = "ghcr.io/acme/set-labels@sha256:" + sum
)

const head = "apiVersion: config.kubernetes.io/v1alpha1\nkind: Catalog\n"

// entry is a catalog of one function with the given runtime.
func entry(runtime string) string {
	return head + "spec:\n  krmFunctions:\n  - group: example.com\n    names: {kind: SetLabels}\n    versions:\n    - name: v1\n      runtime: " + runtime + "\n"
}

// A catalog as KEP-2906 writes it, with what is added.
func TestParse(t *testing.T) {
	c, err := catalog.Parse("c.yaml", []byte(head+`metadata:
  name: acme
spec:
  krmFunctions:
  - group: example.com
    names:
      kind: SetLabels
    description: "sets labels"
    publisher: example.com
    home: https://example.com
    maintainers: [foo@example.com]
    tags: [mutator]
    versions:
    - name: v1
      schema: {openAPIV3Schema: {type: object}}
      idempotent: true
      usage: https://example.com/README.md
      examples: [https://example.com/1]
      license: Apache-2.0
      runtime:
        container:
          image: docker.example.co/functions/set-labels:v1.2.3
          sha256: a428de
          requireNetwork: true
        wasip1:
          image: `+pinned+`
          sha256: `+sum+`
          signers:
          - {issuer: https://accounts.example.com, identity: ci@example.com}
          - key: sha256:`+sum+`
    - name: v1alpha1
      runtime:
        exec:
          platforms: [{bin: foo, os: linux, arch: amd64, uri: https://example.com/foo, sha256: x}]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &catalog.Catalog{Name: "acme", Functions: []catalog.Function{
		{
			Group: "example.com", Version: "v1", Kind: "SetLabels", Description: "sets labels", Publisher: "example.com", Home: "https://example.com",
			Usage: "https://example.com/README.md", License: "Apache-2.0", Runtime: "wasip1", Image: pinned, ModuleDigest: "sha256:" + sum,
			Signers: []catalog.Signer{{Issuer: "https://accounts.example.com", Identity: "ci@example.com"}, {Key: "sha256:" + sum}}, Source: "c.yaml", Line: 16,
		},
		{Group: "example.com", Version: "v1alpha1", Kind: "SetLabels", Description: "sets labels", Publisher: "example.com", Home: "https://example.com", Runtime: "exec", Source: "c.yaml", Line: 33},
	}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	for id, found := range map[krm.Identity]bool{
		{Group: "example.com", Version: "v1", Kind: "SetLabels"}:       true,
		{Group: "example.com", Version: "v1alpha1", Kind: "SetLabels"}: true,
		{Group: "example.com", Version: "v2", Kind: "SetLabels"}:       false,
		{Group: "example.org", Version: "v1", Kind: "SetLabels"}:       false,
		{Group: "example.com", Version: "v1", Kind: "setlabels"}:       false,
		{Version: "v1", Kind: "SetLabels"}:                             false,
	} {
		if _, ok := c.Find(id); ok != found {
			t.Errorf("Find(%v) = %v", id, ok)
		}
	}
}

// Everything that could be read in two ways, or names what it must not, is refused.
func TestParseRefuses(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		p := string(rune('0' + i))
		bomb += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.Repeat("*a"+p+",", 8) + "*a" + p + "]\n"
	}
	good := entry("{wasip1: {image: '" + pinned + "'}}")
	swap := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the catalog has no %q", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for _, tt := range []struct{ name, text, code string }{
		{"empty", "", "catalog.malformed"},
		{"another kind", swap("kind: Catalog", "kind: ConfigMap"), "catalog.kind"},
		{"another version", swap("v1alpha1", "v9"), "catalog.kind"},
		{"two documents", good + "---\n" + good, "catalog.malformed"},
		{"key twice", good + "kind: Catalog\n", "catalog.duplicate_key"},
		{"unknown key", good + "trust: all\n", "catalog.key"},
		{"unknown key of spec", swap("spec:\n", "spec:\n  allowUnsigned: true\n"), "catalog.key"},
		{"unknown key of a function", swap("    names:", "    policy: none\n    names:"), "catalog.key"},
		{"unknown key of a version", swap("      runtime", "      replaces: all\n      runtime"), "catalog.key"},
		{"unknown runtime", entry("{starlark: {path: x}}"), "catalog.key"},
		{"unknown key of wasip1", entry("{wasip1: {image: '" + pinned + "', network: true}}"), "catalog.key"},
		{"no runtime", entry("{}"), "catalog.malformed"},
		{"file in place of an image", entry("{wasip1: {file: ../fn.wasm}}"), "catalog.key"},
		{"no image", entry("{wasip1: {sha256: " + sum + "}}"), "catalog.image"},
		{"tag", entry("{wasip1: {image: 'ghcr.io/acme/fn:v1'}}"), "catalog.unpinned"},
		{"no reference", entry("{wasip1: {image: 'fn'}}"), "catalog.image"},
		{"bad digest", entry("{wasip1: {image: '" + pinned + "', sha256: 'sha256:" + sum + "'}}"), "catalog.digest"},
		{"digest that is a number", entry("{wasip1: {image: '" + pinned + "', sha256: 123}}"), "catalog.malformed"},
		{"no signer in signers", entry("{wasip1: {image: '" + pinned + "', signers: []}}"), "catalog.signer"},
		{"signers that are null", entry("{wasip1: {image: '" + pinned + "', signers: }}"), "catalog.signer"},
		{"identity without issuer", entry("{wasip1: {image: '" + pinned + "', signers: [{identity: a}]}}"), "catalog.signer"},
		{"key and identity", entry("{wasip1: {image: '" + pinned + "', signers: [{key: 'sha256:" + sum + "', issuer: a, identity: b}]}}"), "catalog.signer"},
		{"pattern for a signer", entry("{wasip1: {image: '" + pinned + "', signers: [{identityRegExp: '.*', issuer: a}]}}"), "catalog.key"},
		{"version twice", swap("    - name: v1\n", "    - {name: v1, runtime: {wasip1: {image: '"+pinned+"'}}}\n    - name: v1\n"), "catalog.duplicate"},
		{"function twice, in other letters", swap("  krmFunctions:\n", "  krmFunctions:\n  - {group: example.com, names: {kind: Setlabels}, versions: [{name: v2, runtime: {exec: {platforms: []}}}]}\n"), "catalog.duplicate"},
		{"core group", swap("group: example.com", "group: ''"), "catalog.name"},
		{"group of Kubernetes", swap("group: example.com", "group: apps"), "catalog.name"},
		{"steering group", swap("group: example.com", "group: kustomize.config.k8s.io"), "catalog.name"},
		{"group that is a path", swap("group: example.com", "group: ../../example.com"), "catalog.name"},
		{"kind that is a path", swap("kind: SetLabels", "kind: ../x"), "catalog.name"},
		{"kind of a list", swap("kind: SetLabels", "kind: FunctionList"), "catalog.name"},
		{"version that is a path", swap("name: v1", "name: v1/../x"), "catalog.name"},
		{"alias", swap("      runtime: {", "      runtime: &r {") + "    - name: v2\n      runtime: *r\n", "catalog.alias"},
		{"merge key", strings.Replace(good, "names: {kind: SetLabels}", "names: {<<: {kind: SetLabels}}", 1), "catalog.alias"},
		{"bomb of aliases", good + bomb, "catalog.limit.aliases"},
		{"too large", good + strings.Repeat("#", catalog.MaxBytes), "catalog.limit.bytes"},
		{"too deep", good + "metadata: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", "catalog.limit.depth"},
		{"not text", good + "# \xff\n", "catalog.encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := catalog.Parse("c.yaml", []byte(tt.text))
			e, ok := errors.AsType[*krm.SyntaxError](err)
			if !ok || e.Code != tt.code || e.Name != "c.yaml" || c != nil {
				t.Errorf("Parse = %v, %v (%T), want %s", c, err, err, tt.code)
			}
		})
	}
	if _, err := catalog.Parse("c.yaml", []byte(good)); err != nil {
		t.Errorf("the catalog that all of these are made of: %v", err)
	}
}

func TestMerge(t *testing.T) {
	a, err := catalog.Parse("a.yaml", []byte(entry("{wasip1: {image: '"+pinned+"'}}")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := catalog.Parse("b.yaml", []byte(strings.Replace(entry("{wasip1: {image: '"+pinned+"'}}"), "v1\n      r", "v2\n      r", 1)))
	if err != nil {
		t.Fatal(err)
	}
	both, err := catalog.Merge(a, b)
	if err != nil || len(both.Functions) != 2 {
		t.Errorf("Merge = %v, %v", both, err)
	}
	_, err = catalog.Merge(a, b, a)
	if e, ok := errors.AsType[*krm.SyntaxError](err); !ok || e.Code != "catalog.duplicate" {
		t.Errorf("Merge of one twice = %v", err)
	}
	none, err := catalog.Merge()
	if err != nil || len(none.Functions) != 0 {
		t.Errorf("Merge of none = %v, %v", none, err)
	}
	if _, err := none.Encode(); err == nil {
		t.Error("an empty catalog was written")
	}
}

// What Parse takes and Encode writes says the same, and is written the same once more.
func FuzzCatalog(f *testing.F) {
	f.Add([]byte(entry("{wasip1: {image: '" + pinned + "', sha256: '" + sum + "', signers: [{issuer: 'https://x', identity: \"a\\n: b\"}]}}")))
	f.Add([]byte(strings.Replace(entry("{wasip1: {image: '"+pinned+"'}}"), "    versions:", "    description: \"yes: # \\u2028 no\"\n    publisher: 'null'\n    versions:", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := catalog.Parse("c", data)
		if err != nil {
			if c != nil {
				t.Fatal("an error, and a catalog")
			}
			return
		}
		var runs []catalog.Function
		for _, fn := range c.Functions {
			if fn.Runtime == "wasip1" {
				runs = append(runs, fn)
			}
		}
		c.Functions = runs
		if len(runs) == 0 {
			return
		}
		text, err := c.Encode()
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		again, err := catalog.Parse("c", text)
		if err != nil {
			t.Fatal(err)
		}
		second, err := again.Encode()
		if err != nil || string(second) != string(text) {
			t.Fatalf("%q is written as %q and then as %q (%v)", data, text, second, err)
		}
		for _, fn := range c.Functions {
			got, ok := again.Find(krm.Identity{Group: fn.Group, Version: fn.Version, Kind: fn.Kind})
			if !ok || got.Image != fn.Image || got.ModuleDigest != fn.ModuleDigest {
				t.Fatalf("%v became %v", fn, got)
			}
		}
	})
}
