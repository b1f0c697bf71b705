package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/sandbox"
)

// compileCacheFlags say whether compiled code is kept between runs, and where.
type compileCacheFlags struct {
	use string
	dir string
	key string
	mib int64

	home func() (string, error) // where set, the user's home in place of what the environment says
}

// Words of --compile-cache.
const (
	cacheOff  = "off"
	cacheUse  = string(sandbox.FillNever)
	cacheAuto = string(sandbox.FillSeen)
	cacheFill = string(sandbox.FillAlways)
)

func (f *compileCacheFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.use, "compile-cache", cacheAuto, "keep compiled code between runs: off; use what is there; auto, which compiles large modules when it sees them again; fill, which compiles each at once")
	f.place(cmd)
}

// place adds the flags that say where the cache lies.
func (f *compileCacheFlags) place(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "compile-cache-dir", "", "folder of your own, mode 0700, for compiled code (default: krmsafe/code in the user's cache folder)")
	flags.StringVar(&f.key, "compile-cache-key", "", "file of mode 0600, outside of that folder, with the key under which compiled code is sealed (default: krmsafe/code.key in the user's configuration folder)")
	flags.Int64Var(&f.mib, "compile-cache-size", 2048, "how much compiled code is kept, in MiB; what was not used for longest goes first")
}

// open opens the cache; nil where none is wanted, or none was named and none is to
// be had, of which the warning tells if it is worth one. A place that was named and
// cannot be used is an error.
func (f *compileCacheFlags) open() (cache *sandbox.Cache, warning *sandbox.CacheError, err error) {
	if err := oneOf("--compile-cache", f.use, cacheOff, cacheUse, cacheAuto, cacheFill); err != nil {
		return nil, nil, err
	}
	if f.use == cacheOff {
		return nil, nil, nil
	}
	if f.mib <= 0 {
		return nil, nil, &pipeline.UsageError{Message: fmt.Sprintf("--compile-cache-size %d is no size", f.mib), Hint: "use --compile-cache off to keep nothing"}
	}
	dir, key, ok := f.places()
	if !ok {
		return nil, nil, nil // no home, no cache
	}
	cache, err = sandbox.OpenCache(sandbox.CacheConfig{
		Dir: dir, KeyFile: key, MaxBytes: f.mib << 20, Fill: sandbox.Fill(f.use), Build: buildIdentity(),
		Now: time.Now, //nolint:forbidigo // age of content only
	})
	named := f.dir != "" || f.key != ""
	var refused *sandbox.CacheError
	switch {
	case err == nil:
		return cache, nil, nil
	case errors.As(err, &refused) && named:
		return nil, nil, &pipeline.UsageError{Message: refused.Message, Hint: refused.Hint}
	case named:
		return nil, nil, &pipeline.UsageError{Message: err.Error(), Hint: "name a folder of your own, or --compile-cache off"}
	case refused != nil && refused.Code == sandbox.CodeCacheUnsafe:
		return nil, refused, nil
	}
	return nil, nil, nil // a run does not need it
}

// places are folder and key file. The user's own folders may lie behind symbolic
// links, as homes do; below them there must be none.
func (f *compileCacheFlags) places() (dir, key string, ok bool) {
	if dir, key = f.dir, f.key; dir == "" {
		base, err := realFolder(f.folder(".cache", os.UserCacheDir))
		if err != nil {
			return "", "", false
		}
		dir = filepath.Join(base, "krmsafe", "code")
	}
	if key == "" {
		base, err := realFolder(f.folder(".config", os.UserConfigDir))
		if err != nil {
			return "", "", false
		}
		key = filepath.Join(base, "krmsafe", "code.key")
	}
	return dir, key, true
}

// folder is one of the user's own: below the home that is set, or else as the
// environment says.
func (f *compileCacheFlags) folder(name string, said func() (string, error)) (string, error) {
	if f.home == nil {
		return said()
	}
	home, err := f.home()
	if err == nil && !filepath.IsAbs(home) {
		err = fmt.Errorf("the home %q is not absolute", home)
	}
	return filepath.Join(home, name), err
}

// realFolder is a folder without the symbolic links on its way, made if it does not
// exist.
func realFolder(dir string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// buildIdentity tells this program apart from every other one that may compile
// differently: by its version, and by the file itself where that was not built from a
// clean tree.
func buildIdentity() string {
	v := readVersion()
	id := v.Version + " " + v.Revision
	if v.Revision != "" && !v.Modified && !strings.Contains(v.Version, "devel") {
		return id
	}
	exe, err := os.Executable()
	if err != nil {
		return id
	}
	info, err := os.Stat(exe)
	if err != nil {
		return id
	}
	return fmt.Sprintf("%s %d bytes of %d", id, info.Size(), info.ModTime().UnixNano())
}
