package sandbox_test

import (
	"os"
	"testing"

	"github.com/krmsafe/krmsafe/sandbox"
)

func TestMain(m *testing.M) {
	if sandbox.IsChild(os.Args) {
		os.Exit(sandbox.Child(os.Args))
	}
	os.Exit(m.Run())
}
