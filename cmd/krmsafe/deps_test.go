package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDependencies holds the list of modules that each public package, and the
// command, link on Linux. A new one is seen in review; and whoever imports sandbox
// gets neither Open Policy Agent nor Sigstore nor oras.
func TestDependencies(t *testing.T) {
	for _, pkg := range []string{"sandbox", "verify", "policy", "krmfilter", "cmd/krmsafe"} {
		t.Run(pkg, func(t *testing.T) {
			got := modulesOf(t, "../../"+pkg)
			golden := filepath.Join("testdata", "deps", filepath.Base(pkg)+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("modules that %s links (-golden +now; -update rewrites):\n%s", pkg, diff)
			}
			if pkg != "sandbox" {
				return
			}
			for _, banned := range []string{"open-policy-agent", "sigstore", "oras.land", "sigs.k8s.io"} {
				if strings.Contains(got, banned) {
					t.Errorf("package sandbox links %s", banned)
				}
			}
		})
	}
}

// modulesOf lists the modules of the packages that dir links, one a line.
func modulesOf(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./"+filepath.ToSlash(dir))
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Fields(string(out))
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}
