// Package version says which krmsafe this is and what it is built on, and does so
// before most of the program is initialised where the command line is exactly
// "krmsafe version". It knows what Go's linker writes into an executable.
//
// # Why this happens in an initialisation
//
// As for a sandbox's child: see package child beside this one. The turn of this
// package comes the sooner the less it imports, so it formats by hand and reads
// what the linker wrote by itself: runtime/debug, which knows it too, has its turn
// after most of what is to be avoided. Where anything is not as expected it does
// nothing, and main prints the same from runtime/debug.
package version

import (
	"os"
	"runtime"
)

// Info is what krmsafe is built on.
type Info struct {
	Version string            // of krmsafe
	Modules map[string]string // versions of Engines
}

// Engines are the modules whose versions decide what krmsafe accepts.
func Engines() []string {
	return []string{
		"github.com/tetratelabs/wazero",
		"github.com/open-policy-agent/opa",
		"github.com/sigstore/sigstore-go",
		"oras.land/oras-go/v2",
		"go.yaml.in/yaml/v3",
	}
}

// Text is what the version command prints: a line for krmsafe, and one for each
// of Engines.
func (i Info) Text() string {
	const column = 36
	out := "krmsafe " + i.Version + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")\n"
	for _, path := range Engines() {
		line := "  " + path
		for len(line) < 2+column {
			line += " "
		}
		out += line + " " + i.Modules[path] + "\n"
	}
	return out
}

//nolint:gochecknoinits // see above
func init() {
	if len(os.Args) != 2 || os.Args[1] != "version" {
		return
	}
	info, ok := Read("/proc/self/exe")
	if !ok {
		return
	}
	if _, err := os.Stdout.WriteString(info.Text()); err != nil {
		return // main tries again, and complains
	}
	os.Exit(0)
}
