//go:build !linux || !(amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// platformLayers are what PartialUnsafe requires here: there is only a separate
// process with a constant environment and three pipes.
var platformLayers = []string{LayerDescriptors}

// canMap tells whether a child can be given a file to map.
const canMap = false

// MapCode is not to be had here.
func MapCode([]byte, int64) error { return errNoMap }

// MapMemory is not to be had here.
func MapMemory([]byte, int64) error { return errNoMap }

// Forget has nothing to forget here.
func Forget([]byte) {}

var errNoMap = errors.New("this system cannot map a file into a jailed child")

type idleUse struct{}

type parentState struct{}

func (p parentState) tightened() parentState { return p }

func observeParent() (parentState, error) { return parentState{}, nil }

func landlockMissing() string { return fmt.Sprintf("%s has no such layer", runtime.GOOS) }

func confine(Level, bool) (childReport, idleUse) {
	var r childReport
	for _, layer := range Layers() {
		state := LayerState{Layer: layer, Held: layer == LayerDescriptors}
		if !state.Held {
			state.Detail = landlockMissing()
		}
		r.layers = append(r.layers, state)
	}
	return r, idleUse{}
}

func inspectProcess(int, parentState) map[string]string { return nil }

func verifyBounds(int, Bounds) error { return nil }

func tighten() error { return nil }

func fdFile(n int) *os.File {
	//nolint:forbidigo // the child's pipes are its standard streams
	return []*os.File{os.Stdin, os.Stdout, os.Stderr}[n]
}

func selfExecutable() (string, error) { return os.Executable() }

func endSignal(state *os.ProcessState) (name string, badSystemCall bool) {
	if state.ExitCode() == -1 {
		return "signal", false
	}
	return "", false
}

func awaitEnd(int) {}

// childEnv is the whole environment of every child, whatever the parent's holds.
func childEnv(cfg Config) []string { return []string{processors(cfg), "GOTRACEBACK=none"} }
