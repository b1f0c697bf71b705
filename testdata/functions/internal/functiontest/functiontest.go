// Package functiontest tests a function by what it reads and writes: one directory
// for each case, with the ResourceList it is given and the output it must give. It
// knows streams and exit codes, not functions.
package functiontest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/function"
)

// Run runs p over input and returns its stdout, and its exit code with its stderr as
// one text.
func Run(p framework.ResourceListProcessor, input []byte) (stdout []byte, ending string) {
	var out, errs bytes.Buffer
	code := function.Run(p, bytes.NewReader(input), &out, &errs)
	return out.Bytes(), fmt.Sprintf("exit %d\n%s", code, errs.String())
}

// Golden runs p over testdata/CASE/input.yaml for every CASE, twice, and compares what
// came out with output.yaml and ending.txt in the same directory, which update
// rewrites. A second run over the first one's output must change no item: both
// functions of this module are idempotent.
func Golden(t *testing.T, p framework.ResourceListProcessor, update bool) {
	t.Helper()
	inputs, err := filepath.Glob("testdata/*/input.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases under testdata: %v", err)
	}
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			stdout, ending := Run(p, read(t, input))
			golden(t, filepath.Join(dir, "output.yaml"), stdout, update)
			golden(t, filepath.Join(dir, "ending.txt"), []byte(ending), update)
			again, _ := Run(p, stdout)
			if diff := cmp.Diff(string(stdout), string(again)); diff != "" {
				t.Errorf("a second run changed the output (-first +second):\n%s", diff)
			}
		})
	}
}

func golden(t *testing.T, path string, got []byte, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, path)), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path) //nolint:gosec // G304: a path of the test itself
	if err != nil {
		t.Fatal(err)
	}
	return b
}
