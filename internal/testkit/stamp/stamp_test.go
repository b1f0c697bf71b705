package stamp_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/stamp"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

func TestMain(m *testing.M) {
	if sandbox.IsChild(os.Args) {
		os.Exit(sandbox.Child(os.Args))
	}
	os.Exit(m.Run())
}

// limits grant the function 16 MiB of memory.
func limits() sandbox.Limits {
	return sandbox.Limits{
		MemoryPages: 256, TableElements: 1, CallDepth: 100, Fuel: 1 << 40, Timeout: 30 * time.Second,
		CompileTimeout: 10 * time.Second, CompileBytes: 256 << 20, OutputBytes: 64 << 20, StderrBytes: 64 << 10,
	}
}

func run(t *testing.T, input string, l sandbox.Limits) *sandbox.Result {
	t.Helper()
	m, err := sandbox.Inspect(stamp.Module())
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	s, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r, err := s.Run(t.Context(), m, []byte(input), l)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return r
}

func TestModuleIsSmallAndPlain(t *testing.T) {
	module := stamp.Module()
	if len(module) >= 2048 {
		t.Errorf("the module has %d bytes, want less than 2 KiB", len(module))
	}
	if !bytes.Equal(module, stamp.Module()) {
		t.Error("two calls gave different modules")
	}
	m, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	var imports []string
	for _, i := range m.Imports {
		imports = append(imports, i.Module+"."+i.Name)
	}
	want := []string{"wasi_snapshot_preview1.fd_read", "wasi_snapshot_preview1.fd_write", "wasi_snapshot_preview1.proc_exit"}
	if diff := cmp.Diff(want, imports); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
	if len(m.Memories) != 1 || m.Memories[0].HasMax {
		t.Errorf("memories are %+v, want one without a maximum", m.Memories)
	}
}

// head starts a ResourceList.
const head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"

func TestStamp(t *testing.T) {
	result := func(indent string, items, size int) string {
		return fmt.Sprintf("%s- {severity: info, message: 'stamp saw %d items in %d bytes'}\n", indent, items, size)
	}
	for _, c := range []struct {
		name  string
		input string
		items int
		// at is the end of the text that the result follows: "" is the end of the input,
		// where the key comes with it.
		at, indent string
	}{
		{name: "no items", input: head + "items: []\n"},
		{name: "items", input: head + "items:\n- a: 1\n  b:\n  - c\n- d: 2\n", items: 2},
		{name: "indented items", input: head + "items:\n  - a: 1\n    b:\n      - c\n  - d: 2\n", items: 2},
		{name: "many items", input: head + "items:\n" + strings.Repeat("- a: 1\n", 1234), items: 1234},
		{name: "document marker", input: "---\n" + head + "items:\n- a: 1\n", items: 1},
		{name: "functionConfig after items", input: head + "items:\n- a: 1\nfunctionConfig:\n  items:\n  - b\n", items: 1},
		{name: "functionConfig before items", input: head + "functionConfig:\n  items:\n  - b\nitems:\n- a: 1\n", items: 1},
		{name: "comments and blank lines", input: "# - no item\n" + head + "\nitems:\n# - no item\n- a: 1\n\n# - no item\n- b: 2\n", items: 2},
		{name: "dashes in a multi-line string", input: head + "items:\n- a: |\n    - b\n\n    --- c\n- d: 2\n", items: 2},
		{name: "results", input: head + "items:\n- a: 1\nresults:\n- message: m\n", items: 1, at: "results:\n"},
		{name: "indented results", input: head + "results:\n    - message: m\nitems:\n- a: 1\n", items: 1, at: "results:\n", indent: "    "},
		{name: "results of an item", input: head + "items:\n- a: 1\n  results:\n  - b\n", items: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, c.input, limits())
			if r.Stop != nil {
				t.Fatalf("it stopped: %s: %s, stderr %q", r.Stop.Code, r.Stop.Message, r.Stderr)
			}
			want := c.input + "results:\n" + result("", c.items, len(c.input))
			if c.at != "" {
				want = strings.Replace(c.input, c.at, c.at+result(c.indent, c.items, len(c.input)), 1)
			}
			if diff := cmp.Diff(want, string(r.Stdout)); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStampRefuses(t *testing.T) {
	const notList = "stamp: the input is not a ResourceList in block style\n"
	const notResults = "stamp: the results of the input are not a list in block style\n"
	for _, c := range []struct{ name, input, want string }{
		{"empty input", "", notList},
		{"JSON", `{"kind": "ResourceList", "items": []}` + "\n", notList},
		{"another kind", "apiVersion: v1\nkind: List\nitems: []\n", notList},
		{"no items", head, notList},
		{"items in flow style", head + "items: [{a: 1}]\n", notList},
		{"no newline at the end", head + "items: []", notList},
		{"second document", head + "items: []\n---\na: b\n", notList},
		{"end of document", head + "items: []\n...\n", notList},
		{"directive", "%YAML 1.2\n---\n" + head + "items: []\n", notList},
		{"byte order mark", "\ufeff" + head + "items: []\n", notList},
		{"quoted key", head + "items: []\n\"results\": []\n", notList},
		{"Windows line ends", strings.ReplaceAll(head+"items: []\n", "\n", "\r\n"), notList},
		{"results in flow style", head + "items: []\nresults: []\n", notList},
		{"results twice", head + "items: []\nresults:\n- a\nresults:\n- b\n", notList},
		{"results that are a map", head + "items: []\nresults:\n  a: b\n", notResults},
		{"results without a value", head + "items: []\nresults:\n", notResults},
		{"results with a wild indent", head + "items: []\nresults:\n" + strings.Repeat(" ", 65) + "- a\n", notResults},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRefusal(t, run(t, c.input, limits()), c.want)
		})
	}
}

// TestStampGrowsItsMemory crosses every boundary of the reading loop: the half page
// kept free, whole pages, and the doublings.
func TestStampGrowsItsMemory(t *testing.T) {
	for _, size := range []int{28671, 28672, 28673, 61440, 65536, 94208, 131072, 1 << 20, 5_000_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			input := head + "items:\n- a: " + strings.Repeat("x", size-len(head)-len("items:\n- a: \n")) + "\n"
			r := run(t, input, limits())
			want := input + fmt.Sprintf("results:\n- {severity: info, message: 'stamp saw 1 items in %d bytes'}\n", size)
			if r.Stop != nil || string(r.Stdout) != want {
				t.Errorf("stop %+v and %d bytes that end in %q, want %d that end in %q",
					r.Stop, len(r.Stdout), tail(r.Stdout), len(want), tail([]byte(want)))
			}
		})
	}
}

func TestStampRefusesWhatDoesNotFit(t *testing.T) {
	input := head + "items:\n" + strings.Repeat("- a: 1\n", 200_000)
	small := limits()
	small.MemoryPages = 20
	wantRefusal(t, run(t, input, small), "stamp: the input does not fit into memory\n")
}

func wantRefusal(t *testing.T, r *sandbox.Result, stderr string) {
	t.Helper()
	if r.Stop == nil || r.Stop.Code != sandbox.CodeGuestExit || r.ExitCode != 1 {
		t.Errorf("stop %+v, exit code %d, want the function's own exit code 1", r.Stop, r.ExitCode)
	}
	if string(r.Stderr) != stderr {
		t.Errorf("stderr = %q, want %q", r.Stderr, stderr)
	}
	if len(r.Stdout) != 0 {
		t.Errorf("stdout has %d bytes, want none", len(r.Stdout))
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-80):] }
