package krm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const hiddenSecret = "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {k: aHVudGVyMmh1bnRlcjI=}}"

// TestNothingHidesInItems gives krmsafe resources inside other objects, where a function would see them but neither a
// selector, a policy nor the redaction of Secrets would.
func TestNothingHidesInItems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, object string }{
		{"of any kind", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nitems: [" + hiddenSecret + "]\n"},
		{"of a ConfigMap", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\nitems: [" + hiddenSecret + "]\n"},
		{"none yet", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nitems: []\n"},
		{"null", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nitems: null\n"},
		{"not a sequence", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nitems: {a: " + hiddenSecret + "}\n"},
		{"by a merge key", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nx: &x {items: [" + hiddenSecret + "]}\n<<: *x\n"},
		{"of a list with a name", "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: w}\nitems: [" + hiddenSecret + "]\n"},
		{"of a list with more than items", "apiVersion: example.com/v1\nkind: AllowList\nspec: {a: b}\nitems: [" + hiddenSecret + "]\n"},
		{"of a list in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: SecretList, items: [" + hiddenSecret + "]}\n"},
		{"of an object in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: x/v1, kind: Widget, items: [" + hiddenSecret + "]}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			indented := "- " + strings.ReplaceAll(strings.TrimSuffix(tt.object, "\n"), "\n", "\n  ") + "\n"
			for _, in := range []string{tt.object, wrap(indented)} {
				rl, err := krm.ReadStream([]byte(in), krm.DefaultLimits())
				if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != "input.list" || se.Hint == "" {
					t.Errorf("ReadStream = %v, %v, want input.list with a hint for\n%s", rl, err, in)
				}
			}
		})
	}
	_, err := krm.ReadStream([]byte("apiVersion: v1\nkind: SecretList\nitems: [{metadata: {name: s}, data: {k: aHVudGVyMmh1bnRlcjI=}}]\n"), krm.DefaultLimits())
	if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != "input.item" {
		t.Errorf("ReadStream of a Secret that does not say what it is = %v, want input.item", err)
	}
}

// TestListsAreDivided reads lists of every kind that are nothing but lists: their Secrets are Secrets.
func TestListsAreDivided(t *testing.T) {
	t.Parallel()
	pod := "{apiVersion: v1, kind: Pod, metadata: {name: p}}"
	for _, head := range []string{
		"apiVersion: v1\nkind: List\n", "apiVersion: v1\nkind: SecretList\n", "apiVersion: example.com/v1\nkind: WidgetList\n",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleList\nmetadata: {resourceVersion: ''}\n",
	} {
		rl, err := krm.ReadStream([]byte(head+"items: ["+hiddenSecret+", "+pod+"]\n"), krm.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", head, err)
			continue
		}
		var got []string
		for _, it := range rl.Items {
			got = append(got, it.String())
		}
		if diff := cmp.Diff([]string{"Secret s", "Pod p"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", head, diff)
		}
		x, err := krm.NewExchange(rl, krm.View{}, random())
		if err != nil {
			t.Fatal(err)
		}
		if shown := string(x.Input()); strings.Contains(shown, "aHVudGVyMmh1bnRlcjI") || !strings.Contains(shown, "name: s") {
			t.Errorf("%s: the function is shown\n%s", head, shown)
		}
	}
}

// TestKindsInList says that a resource whose kind only ends like a list stays usable.
func TestKindsInList(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: example.com/v1\n  kind: AllowList\n  metadata: {name: l}\n  spec: {a: b}\n")
	out, err := exchange(t, in, krm.View{}).Output([]byte(strings.Replace(in, "a: b", "a: c", 1)), krm.DefaultLimits())
	if err != nil || len(out.Changes) != 1 {
		t.Errorf("Output = %v, %v, want one change", out, err)
	}
}
