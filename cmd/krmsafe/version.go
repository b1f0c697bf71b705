package main

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/cmd/krmsafe/internal/early/version"
	"github.com/krmsafe/krmsafe/internal/report"
)

// versionInfo is what `krmsafe version -o json` prints.
type versionInfo struct {
	Version  string            `json:"version"`
	Revision string            `json:"revision"`
	Modified bool              `json:"modified"`
	Go       string            `json:"go"`
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Modules  map[string]string `json:"modules"`
}

func (a *app) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version of krmsafe and of what it is built on",
		Example: "  krmsafe version -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("--output", output, "text", "json"); err != nil {
				return err
			}
			info := readVersion()
			if output == "json" {
				return report.WriteJSON(a.out, info)
			}
			_, err := io.WriteString(a.out, version.Info{Version: info.Version, Modules: info.Modules}.Text())
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func readVersion() versionInfo {
	info := versionInfo{Version: "unknown", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Modules: map[string]string{}}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.Version = build.Main.Version
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Revision = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	for _, path := range version.Engines() {
		for _, dep := range build.Deps {
			if dep.Path == path {
				info.Modules[path] = dep.Version
			}
		}
	}
	return info
}
