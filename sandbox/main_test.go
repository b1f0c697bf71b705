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
	if len(os.Args) == 4 && os.Args[1] == "fill-cache" {
		os.Exit(fillCache(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}
