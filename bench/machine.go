package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// machine is where the figures come from. Figures of different machines do not
// compare; ratios nearly do.
type machine struct {
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	Memory     string            `json:"memory"`
	Kernel     string            `json:"kernel"`
	Platform   string            `json:"platform"`
	Go         string            `json:"go"`
	Commit     string            `json:"commit"`
	Modules    map[string]string `json:"modules"`
	LoadBefore string            `json:"loadBefore"`
	LoadAfter  string            `json:"loadAfter"`
}

func facts(ctx context.Context, root string) machine {
	m := machine{
		CPU: line("/proc/cpuinfo", "model name"), Memory: line("/proc/meminfo", "MemTotal"), Cores: runtime.NumCPU(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Modules: map[string]string{}, LoadBefore: load(),
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(text))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if strings.Contains(d.Path, "wazero") || strings.Contains(d.Path, "wasmtime") {
				m.Modules[d.Path] = d.Version
			}
		}
	}
	return m
}

// line gives the first value of a key in one of the kernel's files.
func line(file, key string) string {
	text, _ := os.ReadFile(file)
	for l := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func (m machine) String() string {
	s := fmt.Sprintf("%s, %d cores, %s, %s %s, %s, krmsafe %s, load %s", m.CPU, m.Cores, m.Memory, m.Platform, m.Kernel, m.Go, m.Commit, m.LoadBefore)
	for path, version := range m.Modules {
		s += fmt.Sprintf(", %s %s", path[strings.LastIndex(path[:strings.LastIndex(path, "/")], "/")+1:], version)
	}
	return s
}
