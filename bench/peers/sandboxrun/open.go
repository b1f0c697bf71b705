package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/krmsafe/krmsafe/sandbox"
)

// open gives a sandbox that keeps compiled code in a folder, as soon as it sees a
// module where FILL is in the environment, and else when it sees it again.
func open(folder string, engine sandbox.Engine) (*sandbox.Sandbox, error) {
	fill := sandbox.FillSeen
	if os.Getenv("FILL") != "" {
		fill = sandbox.FillAlways
	}
	cache, err := sandbox.OpenCache(sandbox.CacheConfig{
		Dir: filepath.Join(folder, "code"), KeyFile: filepath.Join(folder, "code.key"), MaxBytes: 2 << 30, Fill: fill, Build: "bench", Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	return sandbox.New(sandbox.Config{Engine: engine, Cache: cache})
}

// readModule reads a module's file.
func readModule(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return sandbox.ReadModule(f, info.Size())
}
