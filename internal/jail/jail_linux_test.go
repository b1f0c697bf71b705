package jail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/jail"
)

func start(tb testing.TB, role string) *jail.Child {
	tb.Helper()
	c, err := jail.Start(tb.Context(), jail.Config{Role: role})
	if err != nil {
		tb.Fatalf("Start(%s): %v", role, err)
	}
	return c
}

// end kills a child and gives how it ended.
func end(c *jail.Child) jail.Exit {
	c.Kill()
	return c.Wait()
}

var smallBounds = jail.Bounds{MemoryBytes: 512 << 20, CPUSeconds: 20}

func bounded(tb testing.TB, role string) *jail.Child {
	tb.Helper()
	c := start(tb, role)
	if err := c.Bound(smallBounds); err != nil {
		tb.Fatalf("Bound: %v; %+v", err, end(c))
	}
	return c
}

func ask(tb testing.TB, c *jail.Child, text string) string {
	tb.Helper()
	if err := c.Send(kindAsk, []byte(text)); err != nil {
		tb.Fatalf("Send: %v", err)
	}
	_, answer, err := c.Receive(jail.Allowed{kindAnswer: 1 << 20})
	if err != nil {
		tb.Fatalf("Receive: %v; %+v", err, end(c))
	}
	return string(answer)
}

func TestFullJailHolds(t *testing.T) {
	c := bounded(t, roleEcho)
	defer end(c)
	if r := c.Report(); !r.Complete() || r.LandlockABI < 6 || r.Level != "full" {
		t.Errorf("Report() = %+v, want a full jail", r)
	}
	if got := ask(t, c, "hello"); got != "hello" {
		t.Errorf("answer = %q, want hello", got)
	}
}

// A child that was taken over must not get a byte, whatever it claims. Layers
// that another one brings along are left out together with it. What no file
// under /proc tells is not among them: TestEachLayerAlone tries those.
func TestClaimedLayersAreNotBelieved(t *testing.T) {
	for _, tc := range []struct{ leftOut, want string }{
		{jail.LayerUser, jail.LayerUser},
		{jail.LayerUser + "," + jail.LayerCapabilities, jail.LayerCapabilities},
		{jail.LayerNoNewPrivs + "," + jail.LayerLandlockFS, jail.LayerNoNewPrivs},
		{jail.LayerSeccomp, jail.LayerSeccomp},
	} {
		t.Run(tc.want, func(t *testing.T) {
			if tc.want == jail.LayerNoNewPrivs && noNewPrivs() {
				t.Log("this process has no_new_privs already, and so has every child")
				return
			}
			if os.Geteuid() != 0 && (tc.want == jail.LayerUser || tc.want == jail.LayerCapabilities) {
				t.Logf("not root: there is nothing of %s to keep", tc.want)
				return
			}
			wantIncomplete(t, roleSkip+":"+tc.leftOut, tc.want)
		})
	}
}

// A kernel that lacks a layer, or refuses it, must not get the module.
func TestEachLayerLackingIsRefused(t *testing.T) {
	for _, layer := range jail.Layers() {
		t.Run(layer, func(t *testing.T) { wantIncomplete(t, roleLack+":"+layer, layer) })
	}
}

func wantIncomplete(t *testing.T, role, layer string) {
	t.Helper()
	_, err := jail.Start(t.Context(), jail.Config{Role: role})
	var incomplete *jail.IncompleteError
	if !errors.As(err, &incomplete) {
		t.Fatalf("Start = %v, want an IncompleteError", err)
	}
	if strings.Contains(err.Error(), "a byte came") {
		t.Errorf("the child got a byte: %v", err)
	}
	if !slices.ContainsFunc(incomplete.Missing, func(l jail.LayerState) bool { return l.Layer == layer }) {
		t.Errorf("Missing = %v, want %s among them", incomplete.Missing, layer)
	}
}

// The parent sees whether a child has tightened its jail.
func TestTightenedIsSeen(t *testing.T) {
	loose := bounded(t, roleProbe+":threads")
	defer end(loose)
	var incomplete *jail.IncompleteError
	if err := loose.Tightened(); !errors.As(err, &incomplete) || incomplete.Missing[0].Layer != jail.LayerSeccomp {
		t.Errorf("Tightened() = %v before Tighten, want seccomp missing", err)
	}
	tight := bounded(t, roleProbe+":late threads")
	defer end(tight)
	if got := ask(t, tight, ""); got != "done" {
		t.Fatalf("answer = %q", got)
	}
	if err := tight.Tightened(); err != nil {
		t.Errorf("Tightened() = %v after Tighten", err)
	}
}

// PartialUnsafe does without Landlock and without nothing else.
func TestPartialDemandsAllButLandlock(t *testing.T) {
	lack := func(layer string) error {
		c, err := jail.Start(t.Context(), jail.Config{Role: roleLack + ":" + layer, Level: jail.PartialUnsafe})
		if err == nil {
			end(c)
		}
		return err
	}
	for _, layer := range jail.Layers() {
		err := lack(layer)
		if landlock := strings.HasPrefix(layer, "landlock"); landlock != (err == nil) {
			t.Errorf("Start without %s = %v, want success: %v", layer, err, landlock)
		}
	}
}

// The layers overlap: here each of them is alone and must still do its part.
func TestEachLayerAlone(t *testing.T) {
	for _, layer := range jail.Layers() {
		t.Run(layer, func(t *testing.T) {
			leak, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			defer leak.Close() //nolint:errcheck // it is only there to be inherited
			inherit(t, leak)
			c, err := jail.StartUnchecked(t.Context(), jail.Config{Role: roleOnly + ":" + layer})
			if err != nil {
				t.Fatal(err)
			}
			defer end(c)
			if err := c.Bound(smallBounds); err != nil {
				t.Fatal(err)
			}
			if got := ask(t, c, ""); got != "held" {
				t.Errorf("%s alone: %s", layer, got)
			}
		})
	}
}

// A program that does not call the hook must neither hang nor start processes
// without end.
func TestForgottenHookIsAnError(t *testing.T) {
	_, err := jail.Start(t.Context(), jail.Config{Role: roleMain})
	if !errors.Is(err, jail.ErrNoHook) {
		t.Fatalf("Start = %v, want ErrNoHook", err)
	}
}

// forgetful is a main without the hook, which starts a child itself: without a
// guard, that would never end.
func forgetful() int {
	_, err := jail.Start(context.Background(), jail.Config{Role: roleMain})
	fmt.Println("forgetful:", err)
	if errors.Is(err, jail.ErrNoHook) {
		return 0
	}
	return 1
}

func TestStartEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := jail.Start(ctx, jail.Config{Role: roleEcho}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want context.Canceled", err)
	}
}

func TestUnboundedIsRefused(t *testing.T) {
	c := start(t, roleEcho)
	defer end(c)
	if err := c.Bound(jail.Bounds{}); err == nil {
		t.Error("Bound(zero) = nil, want an error")
	}
}

// SR-7: the kernel bounds memory and processor time, whatever the parent does.
func TestKernelKeepsBounds(t *testing.T) {
	for _, tc := range []struct {
		chore  string
		bounds jail.Bounds
		right  func(jail.Exit) bool
	}{
		{"hog", jail.Bounds{MemoryBytes: 64 << 20, CPUSeconds: 20}, func(e jail.Exit) bool { return e.OutOfMemory }},
		{"spin", jail.Bounds{MemoryBytes: 64 << 20, CPUSeconds: 1}, func(e jail.Exit) bool { return e.Signal == "SIGKILL" && e.CPU >= time.Second/2 }},
	} {
		t.Run(tc.chore, func(t *testing.T) {
			c := start(t, roleProbe+":"+tc.chore)
			if err := c.Bound(tc.bounds); err != nil {
				t.Fatal(err)
			}
			if err := c.Send(kindAsk, nil); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.Receive(jail.Allowed{kindAnswer: 1}); err == nil {
				t.Fatal("the child answered")
			}
			if exit := c.Wait(); !tc.right(exit) {
				t.Errorf("Wait() = %+v", exit)
			}
		})
	}
}

// SR-2: the child has three descriptors and a constant environment, whatever the
// parent leaks.
func TestChildInheritsNothing(t *testing.T) {
	leak, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close() //nolint:errcheck // it is only there to be inherited
	inherit(t, leak)
	for i := range 50 {
		t.Setenv(fmt.Sprintf("KRMSAFE_LEAK_%d", i), "secret")
	}
	c := bounded(t, roleProbe+":inherited")
	defer end(c)
	want := `["GOMAXPROCS=2" "GOTRACEBACK=none" "GODEBUG=containermaxprocs=0,updatemaxprocs=0"] in /`
	if got := ask(t, c, ""); got != want {
		t.Errorf("child has %q, want %q", got, want)
	}
}

func TestChildDiesWithParent(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperParent$", "-test.v")
	cmd.Env = append(os.Environ(), "JAIL_HELPER_PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	buf := make([]byte, 4096)
	n, _ := out.Read(buf)
	for pid == 0 && n > 0 {
		if _, rest, ok := strings.Cut(string(buf[:n]), "child pid "); ok {
			_, _ = fmt.Sscan(rest, &pid)
			break
		}
		n, _ = out.Read(buf)
	}
	if pid == 0 {
		t.Fatal("the helper named no child")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	deadline := time.Now().Add(5 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlived its parent")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestHelperParent is the process that TestChildDiesWithParent kills.
func TestHelperParent(t *testing.T) {
	if os.Getenv("JAIL_HELPER_PARENT") == "" {
		return
	}
	start(t, roleProbe+":spin")
	children, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range children {
		if b, _ := os.ReadFile(c); len(b) > 0 {
			fmt.Printf("child pid %s\n", b)
		}
	}
	select {}
}

// SR-33: a hardened parent can still start children, and tell them apart.
func TestHardenedParent(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperHardened$", "-test.v")
	cmd.Env = append(os.Environ(), "JAIL_HELPER_HARDENED=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "dumpable 0, core 0, full jail true") {
		t.Errorf("helper: %v\n%s", err, out)
	}
}

// TestHelperHardened is the process that TestHardenedParent starts.
func TestHelperHardened(t *testing.T) {
	if os.Getenv("JAIL_HELPER_HARDENED") == "" {
		return
	}
	if err := jail.Harden(); err != nil {
		t.Fatal(err)
	}
	c := bounded(t, roleEcho)
	defer end(c)
	fmt.Printf("dumpable %d, core %d, full jail %v\n", prctl(unix.PR_GET_DUMPABLE), coreLimit(t), c.Report().Complete())
}

func coreLimit(t *testing.T) uint64 {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	return limit.Max
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// New threads are rare in short runs, and what they need is forgotten easily:
// 200 runs, and among them some with both processors busy, end as they should.
func TestFrameKindsAreChecked(t *testing.T) {
	c := bounded(t, roleEcho)
	defer end(c)
	if err := c.Send(kindAsk, []byte("x")); err != nil {
		t.Fatal(err)
	}
	var frame *jail.FrameError
	if _, _, err := c.Receive(jail.Allowed{kindAnswer: 0}); !errors.As(err, &frame) {
		t.Errorf("Receive of a frame above its bound = %v, want a FrameError", err)
	}
}
