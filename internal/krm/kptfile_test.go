package krm_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const kptfileHead = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata: {name: x}\n"

func TestParseKptfile(t *testing.T) {
	t.Parallel()
	got, err := krm.ParseKptfile("Kptfile", []byte(kptfileHead+`upstream: {type: git, anything: {goes: here}}
pipeline:
  validators:
  - exec: krmsafe exec --image ghcr.io/acme/check:v1
    name: check
  mutators:
  - image: ghcr.io/acme/set:v1
    configMap: {team: shop, replicas: 3, on: true}
    selectors:
    - {kind: Pod, labels: {app: web}}
    - {apiVersion: apps/v1, name: db, namespace: shop}
    exclude:
    - {annotations: {a: b}}
  - image: ghcr.io/acme/other:v1
    configPath: conf/other.yaml
status: {conditions: []}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &krm.Kptfile{Functions: []krm.KptFunction{
		{
			Image: "ghcr.io/acme/set:v1", ConfigMap: map[string]string{"team": "shop", "replicas": "3", "on": "true"}, Line: 10,
			Match: []krm.Selector{
				{Kind: "Pod", Labels: map[string]string{"app": "web"}}, {APIVersion: "apps/v1", Name: "db", Namespace: "shop"},
			},
			Exclude: []krm.Selector{{Annotations: map[string]string{"a": "b"}}},
		},
		{Image: "ghcr.io/acme/other:v1", ConfigPath: "conf/other.yaml", Line: 17},
		{Exec: "krmsafe exec --image ghcr.io/acme/check:v1", Validator: true, Line: 7},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseKptfile (-want +got):\n%s", diff)
	}
}

// TestParseKptfileRefuses holds the parser to refusing whatever could change what runs on what.
func TestParseKptfileRefuses(t *testing.T) {
	t.Parallel()
	function := func(s string) string { return kptfileHead + "pipeline:\n  mutators:\n  - " + s + "\n" }
	for _, tt := range []struct{ name, text, code string }{
		{"nothing", "", "kptfile.kind"},
		{"an older version", "apiVersion: kpt.dev/v1alpha2\nkind: Kptfile\n", "kptfile.kind"},
		{"another kind", "apiVersion: kpt.dev/v1\nkind: Pipeline\n", "kptfile.kind"},
		{"two documents", kptfileHead + "---\n" + kptfileHead, "kptfile.documents"},
		{"a key twice", kptfileHead + "pipeline: {}\npipeline: {}\n", "kptfile.duplicate_key"},
		{"an alias", kptfileHead + "a: &a {image: x}\npipeline: {mutators: [*a]}\n", "kptfile.anchor"},
		{"a pipeline that is a list", kptfileHead + "pipeline: []\n", "kptfile.malformed"},
		{"an unknown kind of function", kptfileHead + "pipeline: {generators: []}\n", "kptfile.key"},
		{"functions that are no list", kptfileHead + "pipeline: {mutators: {image: x}}\n", "kptfile.malformed"},
		{"a function that is text", function("set-labels"), "kptfile.malformed"},
		{"no function", function("name: x"), "kptfile.malformed"},
		{"two functions in one", function("{image: x, exec: y}"), "kptfile.malformed"},
		{"an environment", function("{image: x, env: [A=b]}"), "kptfile.key"},
		{"an image that is a list", function("{image: [x]}"), "kptfile.malformed"},
		{"an image with a control character", function(`{image: "x\u202ey"}`), "kptfile.control"},
		{"a tag", function("{image: x, tag: '>1'}"), "kptfile.tag"},
		{"two configurations", function("{image: x, configPath: a.yaml, configMap: {a: b}}"), "kptfile.malformed"},
		{"a configuration above the package", function("{image: x, configPath: ../a.yaml}"), "kptfile.path"},
		{"a configuration by a detour", function("{image: x, configPath: a/../../a.yaml}"), "kptfile.path"},
		{"a configuration at an absolute path", function("{image: x, configPath: /etc/passwd}"), "kptfile.path"},
		{"a configuration with a backslash", function(`{image: x, configPath: '..\a.yaml'}`), "kptfile.path"},
		{"a map with a list in it", function("{image: x, configMap: {a: [b]}}"), "kptfile.malformed"},
		{"a map with null in it", function("{image: x, configMap: {a: }}"), "kptfile.malformed"},
		{"a selector that selects by more than it knows", function("{image: x, selectors: [{kind: Pod, group: apps}]}"), "kptfile.key"},
		{"a selector that selects nothing", function("{image: x, selectors: [{}]}"), "kptfile.malformed"},
		{"a selector that is text", function("{image: x, exclude: [Pod]}"), "kptfile.malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := krm.ParseKptfile("Kptfile", []byte(tt.text))
			e, ok := errors.AsType[*krm.SyntaxError](err)
			if !ok || e.Code != tt.code || e.Name != "Kptfile" || got != nil {
				t.Errorf("ParseKptfile = %v, %v, want %s", got, err, tt.code)
			}
		})
	}
}

// FuzzParseKptfile takes any text for a Kptfile: an error gives nothing, and what is given names exactly one function each
// time and no file outside the package.
func FuzzParseKptfile(f *testing.F) {
	f.Add(kptfileHead + "pipeline:\n  mutators:\n  - image: x\n    configPath: a/b.yaml\n")
	f.Add(kptfileHead + "pipeline:\n  validators:\n  - exec: x y\n    configMap: {a: 1}\n    selectors: [{kind: Pod}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := krm.ParseKptfile("Kptfile", []byte(text))
		if err != nil {
			if k != nil {
				t.Errorf("an error, and yet %v", k)
			}
			return
		}
		for _, fn := range k.Functions {
			if (fn.Image == "") == (fn.Exec == "") || fn.ConfigPath != "" && (fn.ConfigMap != nil || !filepath.IsLocal(fn.ConfigPath)) {
				t.Errorf("accepted %+v", fn)
			}
		}
	})
}

func TestPackagesComeInnermostFirst(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, folder := range []string{"", "a/", "a/b/", "a-b/", "z/", "a/c/d/"} {
		files[folder+"Kptfile"] = kptfileHead
	}
	d, err := krm.OpenDirectory(writeTree(t, files), krm.DefaultLimits(), krm.Skip{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // only read from
	if want := []string{"a/b", "a/c/d", "a", "a-b", "z", "."}; !slices.Equal(d.Packages(), want) {
		t.Errorf("Packages = %v, want %v", d.Packages(), want)
	}
}

// TestPartStaysInItsFolder runs a function on one folder of a package: what it sees has paths in that folder, what it
// makes lands there, and nothing else changes.
func TestPartStaysInItsFolder(t *testing.T) {
	t.Parallel()
	pod := func(name string) string { return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + " # kept\n" }
	dir := writeTree(t, map[string]string{"a.yaml": pod("a"), "db/b.yaml": pod("b"), "db/sub/c.yaml": pod("c"), "dbx/d.yaml": pod("d")})
	d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), krm.Skip{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // only read from
	part := d.List.Within("db")
	x, err := krm.NewExchange(part.List, krm.View{}, random())
	if err != nil {
		t.Fatal(err)
	}
	if x.Shown() != 2 {
		t.Fatalf("the function sees %d resources, want 2", x.Shown())
	}
	answer := replaced("name: b # kept\n", "name: b\n    labels: {team: shop}\n")(string(x.Input())) +
		"- {apiVersion: v1, kind: ConfigMap, metadata: {name: m}}\n" +
		"- {apiVersion: v1, kind: ConfigMap, metadata: {name: more, annotations: {config.kubernetes.io/path: sub/n.yaml}}}\n"
	out, err := x.Output([]byte(answer), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	whole := part.Replace(out.List)
	var names []string
	for _, it := range whole.Items {
		names = append(names, it.Path+" "+it.Name)
	}
	if want := []string{"a.yaml a", "db/b.yaml b", "db/sub/c.yaml c", "db/configmap_m.yaml m", "db/sub/n.yaml more", "dbx/d.yaml d"}; !slices.Equal(names, want) {
		t.Errorf("the whole list is %q, want %q", names, want)
	}
	plan, err := d.Plan(whole)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range plan {
		got[c.Path] = string(c.After)
	}
	want := map[string]string{
		"db/b.yaml":           "apiVersion: v1\nkind: Pod\nmetadata:\n  name: b # kept\n  labels:\n    team: shop\n",
		"db/configmap_m.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n",
		"db/sub/n.yaml":       "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
