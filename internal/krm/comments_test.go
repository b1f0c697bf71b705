package krm_test

import (
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// TestCommentsOfAFunction has a function plant a marker that Flux takes orders from, move a comment, drop one, and
// write one into a new resource.
func TestCommentsOfAFunction(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n"
	const pod = "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a # ours\n  spec:\n    image: x\n"
	for name, c := range map[string]struct {
		answer string
		want   int
	}{
		"planted":       {strings.Replace(pod, "image: x", `image: x # {"$imagepolicy": "flux-system:evil"}`, 1), 1},
		"moved":         {strings.Replace(pod, "    name: a # ours", "    # ours\n    name: a", 1), 0},
		"dropped":       {strings.Replace(pod, " # ours", "", 1), 0},
		"with a change": {strings.Replace(pod, "image: x", "image: y # why", 1), 1},
		"new resource":  {pod + "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: b # theirs\n", 1},
	} {
		list, err := krm.Parse([]byte(head+pod), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		x, err := krm.NewExchange(list, krm.View{}, random())
		if err != nil {
			t.Fatal(err)
		}
		out, err := x.Output([]byte(head+c.answer), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		text, err := out.List.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Commented) != c.want || !strings.Contains(string(text), "name: a # ours") {
			t.Errorf("%s: %v in\n%s", name, out.Commented, text)
		}
		for _, planted := range []string{"imagepolicy", "# why", "theirs"} {
			if strings.Contains(string(text), planted) {
				t.Errorf("%s: a comment of the function's leaves:\n%s", name, text)
			}
		}
	}
}
