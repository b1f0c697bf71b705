package krm_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// random is a source that gives the same bytes in every run.
func random() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func exchange(t *testing.T, in string, view krm.View) *krm.Exchange {
	t.Helper()
	rl, err := krm.Parse([]byte(in), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	x, err := krm.NewExchange(rl, view, random())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func encode(t *testing.T, rl *krm.ResourceList) string {
	t.Helper()
	b, err := rl.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type change struct{ Op, Who, Path, Pointer, Before, After string }

func changes(list []krm.Change) []change {
	var out []change
	for _, c := range list {
		out = append(out, change{c.Op, c.Resource.String(), strings.Join(c.Path, " "), c.Pointer, string(c.Before), string(c.After)})
	}
	return out
}

const pod = `- apiVersion: v1
  kind: Pod
  metadata:
    name: p # who
  spec:
    # first
    containers:
    - name: a
      image: "nginx:1" # pinned?
      ports:
      - containerPort: 80
      - {containerPort: 80, protocol: UDP}
    - name: b
      image: busybox

      args: [x, y, z]
`

func TestChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		old, new   string // replaced in pod's text, as the function would
		want       []change
		wantInPods string // stands in what is emitted
	}{
		{"nothing", "", "", nil, ""},
		{"style and comments only", `"nginx:1" # pinned?`, `'nginx:1'`, nil, `image: "nginx:1" # pinned?`},
		{"value", `"nginx:1" # pinned?`, "nginx:2", []change{{"replace", "Pod p", "spec containers [name=a] image", "/spec/containers/0/image", `"nginx:1"`, `"nginx:2"`}}, `image: "nginx:2" # pinned?`},
		{"type", `busybox`, "7", []change{{"replace", "Pod p", "spec containers [name=b] image", "/spec/containers/1/image", `"busybox"`, `7`}}, "image: 7\n"},
		{"new key", "    name: p # who", "    labels: {a: yes, b: \"no\"}\n    name: p", []change{{"add", "Pod p", "metadata labels", "/metadata/labels", "null", `{"a":"yes","b":"no"}`}}, "labels:\n      a: \"yes\"\n      b: \"no\"\n"},
		{"key gone", "      args: [x, y, z]\n", "", []change{{"remove", "Pod p", "spec containers [name=b] args", "/spec/containers/1/args", `["x","y","z"]`, "null"}}, ""},
		{"element gone", "    - name: a\n", "    - name: c\n", []change{
			{"remove", "Pod p", "spec containers [name=a]", "/spec/containers/0", `{"name":"a","image":"nginx:1","ports":[{"containerPort":80},{"containerPort":80,"protocol":"UDP"}]}`, "null"},
			{"add", "Pod p", "spec containers [name=c]", "/spec/containers/0", "null", `{"name":"c","image":"nginx:1","ports":[{"containerPort":80},{"containerPort":80,"protocol":"UDP"}]}`},
		}, ""},
		{"two merge keys", "protocol: UDP", "protocol: UDP, name: dns", []change{{"add", "Pod p", "spec containers [name=a] ports [containerPort=80,protocol=UDP] name", "/spec/containers/0/ports/1/name", "null", `"dns"`}}, ""},
		{"plain list grows in front", "[x, y, z]", "[w, x, y, z]", []change{{"add", "Pod p", "spec containers [name=b] args [0]", "/spec/containers/1/args/0", "null", `"w"`}}, "args: [w, x, y, z]"},
		{"plain list shrinks", "[x, y, z]", "[x, z]", []change{{"remove", "Pod p", "spec containers [name=b] args [1]", "/spec/containers/1/args/1", `"y"`, "null"}}, "args: [x, z]"},
		{"key that looks like an element", "    name: p # who", "    name: p\n    \"[name=a]\": x\n    \"a/b~c\": y", []change{
			{"add", "Pod p", `metadata \[name=a]`, "/metadata/[name=a]", "null", `"x"`},
			{"add", "Pod p", "metadata a/b~c", "/metadata/a~1b~0c", "null", `"y"`},
		}, ""},
		{"version", "apiVersion: v1", "apiVersion: v2", []change{{"replace", "Pod p", "apiVersion", "/apiVersion", `"v1"`, `"v2"`}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := exchange(t, wrap(pod), krm.View{})
			answer := wrap(pod)
			if tt.old != "" {
				answer = strings.Replace(answer, tt.old, tt.new, 1)
			}
			out, err := x.Output([]byte(answer), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, changes(out.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			text := encode(t, out.List)
			if tt.want == nil && text != wrap(pod) {
				t.Errorf("nothing changed, yet the text did:\n%s", cmp.Diff(wrap(pod), text))
			}
			if !strings.Contains(text, tt.wantInPods) {
				t.Errorf("the output has no %q:\n%s", tt.wantInPods, text)
			}
			if !strings.Contains(text, "# first") || !strings.Contains(text, "# who") {
				t.Errorf("the input's comments are gone:\n%s", text)
			}
		})
	}
}

func TestMovedToAnotherNamespace(t *testing.T) {
	t.Parallel()
	item := func(name, ns string) string {
		return "- {apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + ", namespace: " + ns + "}}\n"
	}
	moved := func(who, from, to string) change {
		return change{"replace", who, "metadata namespace", "/metadata/namespace", `"` + from + `"`, `"` + to + `"`}
	}
	for _, tt := range []struct {
		name, in, answer string
		want             []change
	}{
		{"one", item("a", "x"), item("a", "y"), []change{moved("ConfigMap x/a", "x", "y")}},
		{"each of two", item("a", "x") + item("b", "x"), item("a", "y") + item("b", "y"), []change{moved("ConfigMap x/a", "x", "y"), moved("ConfigMap x/b", "x", "y")}},
		{"to default, where there is none", item("a", `""`), item("a", "default"), []change{moved("ConfigMap a", "", "default")}},
		{"both there before", item("a", `""`) + item("a", "default"), item("a", "default") + item("a", `""`), nil},
		{"one that is not alone", item("a", "x") + item("a", "y"), item("a", "x") + item("a", "z"), []change{moved("ConfigMap y/a", "y", "z")}},
		{"either of two", item("a", "x") + item("a", "y"), item("a", "z"), []change{
			{"remove", "ConfigMap x/a", "", "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"x"}}`, "null"},
			{"remove", "ConfigMap y/a", "", "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"y"}}`, "null"},
			{"add", "ConfigMap z/a", "", "", "null", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"z"}}`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := exchange(t, wrap(tt.in), krm.View{}).Output([]byte(wrap(tt.answer)), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, changes(out.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAddedRemovedReordered(t *testing.T) {
	t.Parallel()
	item := func(kind, name string) string {
		return "- apiVersion: v1\n  kind: " + kind + "\n  metadata:\n    name: " + name + "\n"
	}
	role := "- apiVersion: rbac.authorization.k8s.io/v1\n  kind: Role\n  metadata:\n    name: r # mine\n    annotations:\n      config.kubernetes.io/path: made/r.yaml\n"
	in := wrap(item("Pod", "a") + item("Secret", "hidden") + item("Pod", "b") + item("Pod", "c"))
	x := exchange(t, in, krm.View{Exclude: []krm.Selector{{Kind: "Secret"}}})
	if strings.Contains(string(x.Input()), "hidden") {
		t.Errorf("an excluded resource is shown:\n%s", x.Input())
	}
	out, err := x.Output([]byte(wrap(item("Pod", "c")+role+item("Pod", "a"))), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := krm.ChangeSummary{
		Added: 1, Removed: 1, Reordered: true, KindsAdded: []string{"rbac.authorization.k8s.io/Role"}, KindsRemoved: []string{"Pod"},
		KindsChanged: []string{}, ReservedAnnotations: []string{},
	}
	if diff := cmp.Diff(want, out.Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	var names []string
	for _, it := range out.List.Items {
		names = append(names, it.String())
	}
	if diff := cmp.Diff([]string{"Pod c", "Role r", "Pod a", "Secret hidden"}, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if text := encode(t, out.List); strings.Contains(text, "mine") {
		t.Errorf("a comment of the function leaves:\n%s", text)
	}
}

const secret = `- apiVersion: v1
  kind: Secret
  metadata:
    name: db
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: '{"data":{"password":"aHVudGVyMg=="}}'
      kapp.k14s.io/original: '{"kind":"Secret","data":{"password":"b2xkZXI="}}'
      fluxcd.io/applied: 'password is hunter2, user is YWRtaW4='
      example.com/packed: eyJwYXNzd29yZCI6ImFIVnVkR1Z5TWc9PSJ9
      example.com/fine: hunt
  # the password is hunter2
  data:
    password: aHVudGVyMg== # hunter2
    user: YWRtaW4=
  stringData:
    note: hunter2
`

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	x := exchange(t, wrap(secret+pod), krm.View{})
	shown := string(x.Input())
	for _, s := range []string{"hunter2", "aHVudGVyMg", "YWRtaW4", "b2xkZXI", "eyJwYXNz"} {
		if strings.Contains(shown, s) {
			t.Errorf("the function sees %q:\n%s", s, shown)
		}
	}
	if !strings.Contains(shown, "example.com/fine: hunt") {
		t.Errorf("an annotation that holds no value is not shown:\n%s", shown)
	}
	out, err := x.Output([]byte(shown), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Changes) != 0 || encode(t, out.List) != wrap(secret+pod) {
		t.Errorf("redact then restore changed something: %v\n%s", out.Changes, cmp.Diff(wrap(secret+pod), encode(t, out.List)))
	}

	// A function that writes the whole document anew, with a label, changes the label only.
	labelled := strings.Replace(shown, "name: db\n", "name: db\n    labels: {a: b}\n", 1)
	x = exchange(t, wrap(secret+pod), krm.View{})
	out, err = x.Output([]byte(labelled), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []change{{"add", "Secret db", "metadata labels", "/metadata/labels", "null", `{"a":"b"}`}}
	if diff := cmp.Diff(want, changes(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got, want := encode(t, out.List), strings.Replace(wrap(secret+pod), "name: db\n", "name: db\n    labels:\n      a: b\n", 1); got != want {
		t.Errorf("output (-want +got):\n%s", cmp.Diff(want, got))
	}
	if out.Summary.SecretsTouched != 1 {
		t.Errorf("SecretsTouched = %d, want 1", out.Summary.SecretsTouched)
	}
}

func TestSecretValuesNeverInChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, new string }{
		{"value replaced", "aHVudGVyMg== #", "b3RoZXI= #"},
		{"all data gone", "  data:\n    password: aHVudGVyMg== # hunter2\n    user: YWRtaW4=\n", ""},
		{"object gone", secret, ""},
		{"renamed", "name: db", "name: db2"},
		{"annotation gone", "      kubectl.kubernetes.io/last-applied-configuration: '{\"data\":{\"password\":\"aHVudGVyMg==\"}}'\n", ""},
		{"copy in an annotation changed", "is hunter2, user is YWRtaW4=", "hunter2 user YWRtaW4="},
		{"copy in an annotation gone", "      fluxcd.io/applied: 'password is hunter2, user is YWRtaW4='\n", ""},
		{"copy in a new annotation", "      example.com/fine: hunt", "      x: it is hunter2\n      example.com/fine: hunt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := exchange(t, wrap(secret+pod), krm.View{Secrets: krm.SecretValues})
			out, err := x.Output([]byte(strings.Replace(wrap(secret+pod), tt.old, tt.new, 1)), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Changes) == 0 {
				t.Fatal("no change was seen")
			}
			for _, c := range changes(out.Changes) {
				for _, s := range []string{"hunter2", "aHVudGVyMg", "YWRtaW4", "b3RoZXI"} {
					if strings.Contains(c.Before+c.After, s) {
						t.Errorf("a change shows %q: %+v", s, c)
					}
				}
			}
		})
	}
}

func TestDirectoryRoundTrip(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{
		"a.yaml": "# a\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: two}\n",
		"b.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n",
	})
	read := func() *krm.Exchange {
		rl, err := krm.ReadPath(dir, krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		x, err := krm.NewExchange(rl, krm.View{}, random())
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := read()
	out, err := x.Output(bytes.Replace(x.Input(), []byte("name: two"), []byte("name: two, labels: {a: b}"), 1), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []change{{"add", "Pod two", "metadata labels", "/metadata/labels", "null", `{"a":"b"}`}}
	if diff := cmp.Diff(want, changes(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	plain, err := out.List.Manifests()
	if err != nil {
		t.Fatal(err)
	}
	wantPlain := "# a\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: two, labels: {a: b}}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n"
	if diff := cmp.Diff(wantPlain, string(plain)); diff != "" {
		t.Errorf("Manifests (-want +got):\n%s", diff)
	}
	x = read()
	_, err = x.Output(bytes.ReplaceAll(x.Input(), []byte("path: 'b.yaml'"), []byte("path: '../b.yaml'")), krm.DefaultLimits())
	if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != "output.path" {
		t.Errorf("Output of a moved resource = %v, want output.path", err)
	}
}

func TestWorkflowCommandsInOutputAreQuoted(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c\n  data:\n    a: x # \"## mine\n    b: |\n      say \"##[mine\"\n")
	answer := strings.Replace(in, "    a: x # \"## mine\n", "    a: \"x\\n::set-env name=A::b\\n###[group]\\n\"\n    c: '##vso[x]'\n    \"##[d]\": z\n", 1)
	out, err := exchange(t, in, krm.View{}).Output([]byte(answer), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(in, "    a: x # \"## mine\n", "    a: \"x\\n::set-env name=A::b\\n#\\x23#[group]\\n\" # \"## mine\n    c: \"#\\x23vso[x]\"\n    \"#\\x23[d]\": z\n", 1)
	if got := encode(t, out.List); got != want {
		t.Errorf("output (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestReservedAnnotationsAreTold(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: p\n    annotations: {config.k8s.io/id: '1', mine: x}\n  spec:\n    template:\n      metadata: {annotations: {a: b}}\n")
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"none", "mine: x", "mine: y", []string{}},
		{"changed", "id: '1'", "id: '2'", []string{"config.k8s.io/id"}},
		{"all annotations gone", "    annotations: {config.k8s.io/id: '1', mine: x}\n", "", []string{}},
		{"on a template", "{a: b}", "{kustomize.config.k8s.io/x: b}", []string{"kustomize.config.k8s.io/x"}},
		{"metadata of a template", "      metadata: {annotations: {a: b}}\n", "      metadata: {annotations: {krmsafe.dev/x: b}, labels: {a: b}}\n", []string{"krmsafe.dev/x"}},
		{"in a new template", "    template:\n", "    other: {metadata: {annotations: {krmsafe.dev/y: b}}}\n    template:\n", []string{"krmsafe.dev/y"}},
		{"in a new resource", "items:\n", "items:\n- {apiVersion: v1, kind: Pod, metadata: {name: q, annotations: {config.kubernetes.io/local-config: 'true', config.kubernetes.io/path: a.yaml}}}\n", []string{"config.kubernetes.io/local-config"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := exchange(t, in, krm.View{}).Output([]byte(strings.Replace(in, tt.old, tt.new, 1)), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.Summary.ReservedAnnotations); diff != "" {
				t.Errorf("ReservedAnnotations (-want +got):\n%s", diff)
			}
		})
	}
}
