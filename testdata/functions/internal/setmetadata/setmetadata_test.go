package setmetadata_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/functiontest"
	"github.com/krmsafe/krmsafe/testdata/functions/internal/setmetadata"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestSetMetadata(t *testing.T) {
	functiontest.Golden(t, setmetadata.Processor(), *update)
}

// TestShopOnlyGains runs the function over the sample input. Where no field that it
// sets exists before, it may add lines and nothing else: comments, order, quotes and
// multi-line strings come back as they were.
func TestShopOnlyGains(t *testing.T) {
	input, err := os.ReadFile("../../../resources/set-metadata-list.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stdout, ending := functiontest.Run(setmetadata.Processor(), input)
	if want := "exit 0\n"; ending != want {
		t.Fatalf("it ended with %q, want %q", ending, want)
	}
	output := strings.Split(string(stdout), "\n")
	for line := range strings.SplitSeq(string(input), "\n") {
		// A flow map gains its entries within the line.
		line = strings.TrimSuffix(line, "}")
		for len(output) > 0 && !strings.HasPrefix(output[0], line) {
			output = output[1:]
		}
		if len(output) == 0 {
			t.Fatalf("line %q of the input is not in the output, or not where it was", line)
		}
		output = output[1:]
	}
	if got, want := strings.Count(string(stdout), "app.kubernetes.io/part-of"), 27; got != want {
		t.Errorf("the label occurs %d times, want %d: 20 resources, 5 pod templates, a job template and the functionConfig", got, want)
	}
}

func TestSizeOfAnnotationsIsBounded(t *testing.T) {
	input := `apiVersion: config.kubernetes.io/v1
kind: ResourceList
items: []
functionConfig:
  apiVersion: functions.krmsafe.dev/v1alpha1
  kind: SetMetadata
  metadata: {name: test}
  spec:
    annotations:
      big: "` + strings.Repeat("x", 256<<10-len("big")) + `"
`
	if _, ending := functiontest.Run(setmetadata.Processor(), []byte(input)); ending != "exit 0\n" {
		t.Errorf("annotations of 256 KiB ended with %q, want exit 0", ending)
	}
	_, ending := functiontest.Run(setmetadata.Processor(), []byte(strings.Replace(input, "xx", "xxx", 1)))
	if want := "262145 bytes exceed the 262144"; !strings.HasPrefix(ending, "exit 1\n") || !strings.Contains(ending, want) {
		t.Errorf("one byte more ended with %q, want exit 1 and %q", ending, want)
	}
}
