//go:build !linux

package jail_test

import (
	"errors"
	"os"
	"testing"

	"github.com/krmsafe/krmsafe/internal/jail"
)

func TestMain(m *testing.M) {
	if jail.IsChild(os.Args, "idle") {
		os.Exit(jail.Serve(os.Args, "idle", func(*jail.Inside) error { return nil }))
	}
	os.Exit(m.Run())
}

// SR-36: a system without the kernel's help refuses unless it is asked not to.
func TestFullIsRefused(t *testing.T) {
	_, err := jail.Start(t.Context(), jail.Config{Role: "idle"})
	var incomplete *jail.IncompleteError
	if !errors.As(err, &incomplete) {
		t.Fatalf("Start = %v, want an IncompleteError", err)
	}
	c, err := jail.Start(t.Context(), jail.Config{Role: "idle", Level: jail.PartialUnsafe})
	if err != nil {
		t.Fatalf("Start(partial) = %v, want success", err)
	}
	if c.Report().Complete() {
		t.Error("a partial jail says that it is complete")
	}
	c.Kill()
	c.Wait()
}
