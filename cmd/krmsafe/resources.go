package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// emptyInputError says that there is nothing to run a function on: more likely the
// program before krmsafe in the pipe failed than that no resource is meant.
type emptyInputError struct{}

func (*emptyInputError) Error() string { return "the input holds no resources" }

// errBug is in the chain of an error that should have been impossible.
var errBug = errors.New("this is a bug in krmsafe")

// skip is what of a directory is left out, beside the named files.
func (b *batch) skip(files ...string) krm.Skip {
	return krm.Skip{Ignored: !b.flags.tree.noIgnore, Packages: !b.flags.tree.nested, Files: files}
}

// incompleteError says that --fail-on-left-out found something left out.
type incompleteError struct {
	first krm.LeftOut
	count int
}

func (e *incompleteError) Error() string {
	more := ""
	if e.count > 1 {
		more = fmt.Sprintf(", and %d more", e.count-1)
	}
	return fmt.Sprintf("%q is left out, %s%s, and --fail-on-left-out allows none", e.first.Path, e.first.Reason, more)
}

// read reads the resources of the path that the command line names. A gate that is
// to see everything does not go on where something is left out.
func (b *batch) read(skip ...string) (err error) {
	if b.list, b.dir, err = b.app.resources(b.path, b.skip(skip...)); err != nil {
		return err
	}
	if left := b.list.LeftOut; b.flags.tree.complete && len(left) > 0 {
		return &incompleteError{first: left[0], count: len(left)}
	}
	return nil
}

// resources reads a directory, which stays open, a file, or standard input where
// there is no path.
func (a *app) resources(path string, skip krm.Skip) (*krm.ResourceList, *krm.Directory, error) {
	limits := krm.DefaultLimits()
	if path == "" {
		list, err := readStdin(a.in, limits)
		return list, nil, err
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		list, err := krm.ReadPath(path, limits)
		return list, nil, err
	}
	dir, err := krm.OpenDirectory(path, limits, skip)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range dir.List.Skipped {
		if s.Unread { // a gate must not pass what it did not see
			_ = dir.Close()
			return nil, nil, fmt.Errorf("reading %s: it is %s, which is not followed, and what it holds would go unjudged; name the folder of the files themselves, or take it away", s.Path, s.Reason)
		}
	}
	return dir.List, dir, nil
}

// input reads the resources and the functionConfig of a verb that writes nothing
// back.
func (a *app) input(args []string, fnConfig string) (*krm.ResourceList, error) {
	path, skip := "", krm.Skip{Ignored: true, Packages: true}
	if len(args) == 1 && args[0] != "-" {
		path = args[0]
	}
	if file, inside := within(path, fnConfig); inside {
		skip.Files = []string{file}
	}
	list, dir, err := a.resources(path, skip)
	if err != nil {
		return nil, err
	}
	if dir != nil {
		if err := dir.Close(); err != nil {
			return nil, err
		}
	}
	if fnConfig == "" {
		return list, nil
	}
	if list.FunctionConfig != nil {
		return nil, &pipeline.UsageError{
			Message: "the input already holds a functionConfig, and --fn-config names another",
			Hint:    "remove one of them",
		}
	}
	list.FunctionConfig, err = readConfig(fnConfig)
	return list, err
}

func readStdin(in io.Reader, limits krm.Limits) (*krm.ResourceList, error) {
	data, err := readAll(in, "standard input", limits.Bytes)
	if err != nil {
		return nil, err
	}
	return krm.ReadStream(data, limits)
}

func readConfig(file string) (*krm.Object, error) {
	data, err := readBounded(file, krm.DefaultLimits().Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the functionConfig: %w", err)
	}
	return krm.ParseConfig(file, data, krm.DefaultLimits())
}

// within gives the path of a file relative to a directory, with slashes, if it
// lies there. It is by name alone: what it decides is which file is no resource.
func within(dir, file string) (string, bool) {
	if dir == "" || file == "" {
		return "", false
	}
	real := func(path string) string {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		if resolved, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(resolved, filepath.Base(path))
		}
		return path
	}
	rel, err := filepath.Rel(real(filepath.Join(dir, "x")), real(file))
	rel = strings.TrimPrefix(rel, ".."+string(filepath.Separator))
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// A namedConfig is a functionConfig, and the file that it was read from.
type namedConfig struct {
	object *krm.Object
	path   string
}

// configs reads the functionConfigs that the command line names, and lists those
// of their files that lie in the directory: a function does not work on what
// configures it.
func (b *batch) configs() (configs []namedConfig, skip []string, err error) {
	if len(b.pairs) > 0 {
		if len(b.flags.fnConfigs) > 0 {
			return nil, nil, &pipeline.UsageError{Message: "--fn-config and KEY=VALUE both give a functionConfig", Hint: "use one of them"}
		}
		object, err := configMapOf(b.pairs)
		return []namedConfig{{object: object}}, nil, err
	}
	if len(b.flags.fnConfigs) > 1 && (b.flags.module.image != "" || b.flags.module.file != "") {
		return nil, nil, &pipeline.UsageError{
			Message: "several functionConfigs, and one module for all of them",
			Hint:    "name each one's module in its annotation config.kubernetes.io/function, or run krmsafe for each",
		}
	}
	for _, file := range b.flags.fnConfigs {
		object, err := readConfig(file)
		if err != nil {
			return nil, nil, err
		}
		configs = append(configs, namedConfig{object: object, path: file})
		if name, inside := within(b.path, file); inside {
			skip = append(skip, name)
		}
	}
	return configs, skip, nil
}

// configMapOf makes the functionConfig that kpt makes of KEY=VALUE arguments.
func configMapOf(list []string) (*krm.Object, error) {
	data := map[string]string{}
	for _, pair := range list {
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, &pipeline.UsageError{Message: fmt.Sprintf("behind -- stands %q, which is not KEY=VALUE", pair), Hint: "flags and paths go before the --"}
		}
		if _, twice := data[key]; twice {
			return nil, &pipeline.UsageError{Message: fmt.Sprintf("behind -- %q is given twice", key)}
		}
		data[key] = value
	}
	return krm.NewConfigMap("function-input", data)
}

// nameModule takes the module from the functionConfig's annotation where no
// flag names one. A file is relative to the functionConfig's own folder.
func nameModule(req *pipeline.Request, fnConfig string) error {
	if req.Image != "" || req.File != "" {
		return nil
	}
	if req.Input.FunctionConfig == nil {
		return &pipeline.UsageError{
			Message: "no module is named",
			Hint:    "use --image or --file, or a functionConfig with the annotation config.kubernetes.io/function",
		}
	}
	spec, err := krm.ParseFunction(req.Input.FunctionConfig)
	if errors.Is(err, krm.ErrNoFunction) {
		return &pipeline.UsageError{Message: err.Error(), Hint: "name the module with --image or --file"}
	}
	if err != nil {
		return err
	}
	req.Image, req.File = spec.Image, spec.File
	return confine(req, filepath.Dir(fnConfig)) // of standard input: the current folder
}
