package krm_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const estate = `- {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: web, tier: front}}}
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: y, labels: {app: web}, annotations: {team: one}}}
- {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: x}, data: {k: aHVudGVyMg==}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: x}}
`

func TestView(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		view krm.View
		want []string
	}{
		{"all", krm.View{}, []string{"Pod a", "Deployment a", "Secret s", "ConfigMap c"}},
		{"kind", krm.View{Match: []krm.Selector{{Kind: "Pod"}}}, []string{"Pod a"}},
		{"kind or name", krm.View{Match: []krm.Selector{{Kind: "Pod"}, {Name: "a"}}}, []string{"Pod a", "Deployment a"}},
		{"kind and name", krm.View{Match: []krm.Selector{{Kind: "Pod", Name: "b"}}}, nil},
		{"api version", krm.View{Match: []krm.Selector{{APIVersion: "apps/v1"}}}, []string{"Deployment a"}},
		{"namespace", krm.View{Match: []krm.Selector{{Namespace: "x"}}, Exclude: []krm.Selector{{Kind: "Secret"}}}, []string{"Pod a", "ConfigMap c"}},
		{"labels", krm.View{Match: []krm.Selector{{Labels: map[string]string{"app": "web", "tier": "front"}}}}, []string{"Pod a"}},
		{"annotations", krm.View{Match: []krm.Selector{{Annotations: map[string]string{"team": "one"}}}}, []string{"Deployment a"}},
		{"nothing fits the zero selector", krm.View{Match: []krm.Selector{{}}}, nil},
		{"secrets hidden", krm.View{Secrets: krm.SecretHidden}, []string{"Pod a", "Deployment a", "ConfigMap c"}},
		{"both views", krm.View{Match: []krm.Selector{{Namespace: "x"}}, Also: &krm.View{Exclude: []krm.Selector{{Kind: "Secret"}}}}, []string{"Pod a", "ConfigMap c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := exchange(t, wrap(estate), tt.view)
			shown, err := krm.Parse(x.Input(), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, it := range shown.Items {
				got = append(got, it.Kind+" "+it.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || x.Shown() != len(tt.want) {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
			// What was not shown is put back in its place, and nothing else happens to the list.
			out, err := x.Output(x.Input(), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wrap(estate), encode(t, out.List)); diff != "" || len(out.Changes) != 0 {
				t.Errorf("%v output (-want +got):\n%s", out.Changes, diff)
			}
			out, err = x.Output([]byte(wrap("  []\n")), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if len(out.List.Items) != 4-len(tt.want) || out.Summary.Removed != len(tt.want) {
				t.Errorf("a function that drops all leaves %d items and removes %d", len(out.List.Items), out.Summary.Removed)
			}
		})
	}
}

func TestHiddenObjectCannotBeForged(t *testing.T) {
	t.Parallel()
	x := exchange(t, wrap(estate), krm.View{Secrets: krm.SecretHidden})
	_, err := x.Output(append(x.Input(), "- {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: x}, data: {}}\n"...), krm.DefaultLimits())
	if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != "output.duplicate" {
		t.Errorf("Output = %v, want output.duplicate", err)
	}
}

func TestPlaceholdersHaveOneShape(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  data:\n    a: YQ==\n    b: " + strings.Repeat("YWFh", 50) + "\n  stringData:\n    c: x\n")
	shown := string(exchange(t, in, krm.View{}).Input())
	a, b, c := placeholder(shown, "a"), placeholder(shown, "b"), placeholder(shown, "c")
	if len(a) != len(b) || a == b || len(a) < 60 || !strings.HasPrefix(c, "krmsafe") {
		t.Errorf("placeholders are %q, %q and %q", a, b, c)
	}
	other := wrap("- {apiVersion: v1, kind: Secret, metadata: {name: s}}\n")
	if exchange(t, other, krm.View{}); strings.Contains(other, a) {
		t.Error("a Secret without values has a placeholder")
	}
}

func TestPlaceholderInDisguiseIsFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		disguise func(string) string
	}{
		{"base64", b64},
		{"base64 behind one byte", func(s string) string { return b64("x" + s) }},
		{"base64 behind two bytes", func(s string) string { return b64("xy" + s) }},
		{"base64 twice", func(s string) string { return b64(b64("x" + s)) }},
		{"hexadecimal", hexed},
		{"capitals", strings.ToUpper},
		{"in JSON", func(s string) string { return `{"a":"` + s + `"}` }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := wrap("- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  stringData:\n    k: hunter2\n" + pod)
			x := exchange(t, in, krm.View{})
			answer := strings.Replace(string(x.Input()), "busybox", "'"+tt.disguise(placeholder(string(x.Input()), "k"))+"'", 1)
			_, err := x.Output([]byte(answer), krm.DefaultLimits())
			if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != "output.placeholder" {
				t.Errorf("Output = %v, want output.placeholder in\n%s", err, answer)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  data:\n    k: aHVudGVyMg==\n  stringData:\n    l: swordfish\n")
	x := exchange(t, in, krm.View{})
	got := x.Redact("fine\nit is " + placeholder(string(x.Input()), "l") + "\nfine")
	if got != "fine\n[secret]\nfine" {
		t.Errorf("Redact of a placeholder = %q", got)
	}
	x = exchange(t, in, krm.View{Secrets: krm.SecretValues})
	got = x.Redact("hunter2 aHVudGVyMg== swordfish " + b64("swordfish"))
	if got != "[secret] [secret] [secret] [secret]" {
		t.Errorf("Redact of values = %q", got)
	}
	out, err := x.Output(append(x.Input(), "results: [{message: hunter2, severity: info, field: {path: x, currentValue: swordfish}, tags: {swordfish: hunter2}}]\n"...), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []krm.Result{{Message: "[secret]", Severity: "info", Field: &krm.ResultField{Path: "x", CurrentValue: "[secret]"}, Tags: map[string]string{"[secret]0": "[secret]"}}}
	if diff := cmp.Diff(want, out.Results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// TestSecretFunctionConfigIsNotTold gives a function a Secret as its functionConfig and has it tell the values.
func TestSecretFunctionConfigIsNotTold(t *testing.T) {
	t.Parallel()
	config := "functionConfig:\n  apiVersion: v1\n  kind: Secret\n  metadata: {name: c}\n  data: {k: aHVudGVyMmh1bnRlcjI=}\n  stringData:\n    l: \"sword\\\"fish\"\n    m: |\n      user: someone\n      password: p4ssword\n"
	for _, view := range []krm.View{{}, {Secrets: krm.SecretValues}, {Secrets: krm.SecretHidden}} {
		x := exchange(t, wrap(pod)+config, view)
		if !strings.Contains(string(x.Input()), "aHVudGVyMmh1bnRlcjI=") {
			t.Fatalf("the functionConfig is not given as it is:\n%s", x.Input())
		}
		for _, s := range []string{"hunter2hunter2", "aHVudGVyMmh1bnRlcjI=", "sword\"fish", `sword\"fish`, b64("sword\"fish"), "password: p4ssword"} {
			if got := x.Redact("it is " + s + "!"); got != "it is [secret]!" {
				t.Errorf("Redact of %q = %q", s, got)
			}
		}
		out, err := x.Output(append(x.Input(), "results: [{message: hunter2hunter2, severity: info}]\n"...), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if out.Results[0].Message != "[secret]" {
			t.Errorf("a result says %q", out.Results[0].Message)
		}
		results, err := x.Results([]byte(wrap(pod)+"results: [{message: hunter2hunter2, severity: error}]\n"), krm.DefaultLimits())
		if err != nil || results[0].Message != "[secret]" {
			t.Errorf("Results = %v, %v", results, err)
		}
	}
	x := exchange(t, wrap(pod)+"functionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  data: {k: swordfish}\n", krm.View{})
	if got := x.Redact("swordfish"); got != "swordfish" {
		t.Errorf("Redact of what is no secret = %q", got)
	}
}

func TestSameNameInTwoFolders(t *testing.T) {
	t.Parallel()
	item := func(path, value string) string {
		return "- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c\n    annotations:\n      config.kubernetes.io/path: " + path + "\n  data: {a: " + value + "}\n"
	}
	in := wrap(item("dev/c.yaml", "one") + item("prod/c.yaml", "two"))
	out, err := exchange(t, in, krm.View{}).Output([]byte(wrap(item("prod/c.yaml", "three")+item("dev/c.yaml", "four"))), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []change{
		{"replace", "ConfigMap c", "data a", "/data/a", `"two"`, `"three"`},
		{"replace", "ConfigMap c", "data a", "/data/a", `"one"`, `"four"`},
	}
	if diff := cmp.Diff(want, changes(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func hexed(s string) string { return hex.EncodeToString([]byte(s)) }
