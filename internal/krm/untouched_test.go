package krm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// handwritten are entries as people write them. Each %d is the entry's number.
var handwritten = []string{
	"# about %[1]d\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name:  c%[1]d, labels: { a: 'b' } }  # flow\n  data:\n\n    x: |+\n      keep\n\n\n    y: >-\n      folded\n      text\n    party: 🎉\n    z: \"q\\\"\\u00e9\"\n",
	"-   kind: Service   # odd order\n    apiVersion: v1\n    metadata:\n        name: s%[1]d\n    spec:\n        ports:\n            - {port: 80, targetPort: 0x50}\n            # the second\n            - port: 443\n              name: \"https\"\n",
	"- {apiVersion: v1, kind: Pod, metadata: {name: p%[1]d}, spec: {containers: [{name: a, image: \"x:1\"}]}}\n",
	"- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: z%[1]d\n  # the password\n  data:\n    a: aHVudGVyMg==  # do not tell\n    b:   YQ==\n\n",
	"- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: d%[1]d\n    annotations:\n      on: 'yes'\n      when: 2001-01-01\n      time: 12:30:45\n  spec:\n    template:\n      spec:\n        containers:\n        - name: a\n          args: [--x,\n            --y]\n          env:\n            - name: E\n              value: 'it''s'\n",
}

// TestUntouchedBytesStayUntouched lets a function that prints everything anew with kyaml, as functions in Go do, put a
// label on some of the resources. The text of all others must leave as it came, and of those that were changed every
// line but the new ones.
func TestUntouchedBytesStayUntouched(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		var in strings.Builder
		var entries []string
		for i := range 1 + r.IntN(12) {
			e := fmt.Sprintf(handwritten[r.IntN(len(handwritten))], i)
			entries = append(entries, e)
			in.WriteString(e)
		}
		x := exchange(t, wrap(in.String()), krm.View{})
		touched := map[int]bool{}
		for i := range entries {
			touched[i] = r.IntN(3) == 0
		}
		out, err := x.Output(labelled(t, x.Input(), touched), krm.DefaultLimits())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		rest := encode(t, out.List)
		for i, e := range entries {
			if touched[i] {
				for line := range strings.Lines(e) {
					if !strings.Contains(line, "{name") && !strings.Contains(line, "name: ") && !strings.Contains(rest, line) {
						t.Fatalf("seed %d: a changed resource lost the line %q:\n%s", seed, line, rest)
					}
				}
				continue
			}
			_, after, ok := strings.Cut(rest, e)
			if !ok {
				t.Fatalf("seed %d: the text of resource %d is not as it was:\n%s\nin:\n%s", seed, i, e, rest)
			}
			rest = after
		}
		n := 0
		for _, c := range out.Changes {
			if c.Op != krm.OpAdd || !strings.HasPrefix(c.Pointer, "/metadata/labels") {
				t.Fatalf("seed %d: an unexpected change: %+v", seed, c)
			}
			n++
		}
		for _, was := range touched {
			if was {
				n--
			}
		}
		if n != 0 {
			t.Fatalf("seed %d: %d changes too many", seed, n)
		}
	}
}

// labelled reads a ResourceList with kyaml, labels some resources and prints everything anew.
func labelled(t *testing.T, in []byte, touched map[int]bool) []byte {
	t.Helper()
	var b bytes.Buffer
	rw := &kio.ByteReadWriter{Reader: bytes.NewReader(in), Writer: &b, KeepReaderAnnotations: true}
	nodes, err := rw.Read()
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if touched[i] {
			if err := n.PipeE(yaml.SetLabel("team", "one")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := rw.Write(nodes); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
