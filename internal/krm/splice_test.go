package krm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const handmade = `# made by hand
apiVersion: apps/v1
kind: Deployment

metadata:
    name: "web"   # the name

    # who to call
    annotations:
        owner: 'team a'
spec:
    replicas: 0x3
    template:
        spec:
            # the order matters
            containers:
              # first
              - name: app
                image: "nginx:1"      # pinned

                args: ["-v",
                       "-x"]
              # second
              -   name:    side
                  image: busybox
                  command:
                    - sh
                    - -c
                    - |
                        # not a comment
                        sleep 1

            volumes: []   # none


`

// TestChangedResourceKeepsItsText demands that of a changed resource only the lines of the change differ.
func TestChangedResourceKeepsItsText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		oldShown, new    string // what the function does, to the text that it is shown
		oldText, newText string // what becomes of the text
	}{
		{"scalar in a list", `image: "nginx:1"      # pinned`, "image: nginx:2", `"nginx:1"      # pinned`, `"nginx:2" # pinned`},
		{"scalar behind a dash", "- sh", "- bash", "- sh", "- bash"},
		{"second element", "image: busybox", "image: toolbox", "image: busybox", "image: toolbox"},
		{"literal", "sleep 1", "sleep 2", "                        # not a comment\n                        sleep 1\n", "                      # not a comment\n                      sleep 2\n"},
		{"number", "replicas: 0x3", "replicas: 4", "replicas: 0x3", "replicas: 4"},
		{"new key", "        owner: 'team a'", "        owner: 'team a'\n        more: yes", "        owner: 'team a'\n", "        owner: 'team a'\n        more: \"yes\"\n"},
		{"new mapping", "    # who to call", "    labels: {a: b}", "    name: \"web\"   # the name\n", "    name: \"web\"   # the name\n    labels:\n        a: b\n"},
		{"new element", "volumes: []   # none", "volumes: [{name: v}]", "            volumes: []   # none\n", "            volumes:\n                - name: v\n"},
		{"new value at the end", "sleep 1", "sleep 1\n                  tty: true", "sleep 1\n\n", "sleep 1\n                  tty: true\n\n"},
		{"key gone", "    replicas: 0x3\n", "", "    replicas: 0x3\n", ""},
		{"flow list", `"-x"]`, `"-y"]`, "args: [\"-v\",\n                       \"-x\"]", `args: ["-v", "-y"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rl, err := krm.ReadStream([]byte(handmade), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			x, err := krm.NewExchange(rl, krm.View{}, random())
			if err != nil {
				t.Fatal(err)
			}
			indented := func(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }
			answer := strings.Replace(string(x.Input()), indented(tt.oldShown), indented(tt.new), 1)
			if answer == string(x.Input()) {
				t.Fatal("the function does nothing")
			}
			out, err := x.Output([]byte(answer), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Changes) == 0 {
				t.Fatal("nothing changed")
			}
			got, err := out.List.Manifests()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Replace(handmade, tt.oldText, tt.newText, 1), string(got)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}
