package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/lazy"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// kptfileFlags let a Kptfile say which functions run.
type kptfileFlags struct {
	on        bool
	functions string
}

func (f *kptfileFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "pipeline", false, "run the functions that the directory's Kptfile names, as kpt fn render does: mutators, then validators")
	flags.StringVar(&f.functions, "functions", "", functionsUsage)
}

// prepareKptfile reads the directory and makes a step of each function of its
// Kptfile; those of nested packages come first where they are taken in.
func (b *batch) prepareKptfile() error {
	if b.flags.module.image != "" || b.flags.module.file != "" || len(b.flags.fnConfigs) > 0 || len(b.pairs) > 0 || b.flags.kind != "mutator" {
		return &pipeline.UsageError{
			Message: "--pipeline runs what the Kptfile names, and other flags name a function, too",
			Hint:    "leave out --image, --file, --fn-config, --type and KEY=VALUE",
		}
	}
	view, err := b.flags.view.selection()
	if err != nil {
		return err
	}
	if len(view.Match)+len(view.Exclude) > 0 {
		return &pipeline.UsageError{
			Message: "--pipeline runs functions on what the Kptfile selects, and --match or --exclude flags select, too", Hint: "put selectors into the Kptfile",
		}
	}
	functions, err := b.functionMap()
	if err != nil {
		return err
	}
	if err := b.read(); err != nil {
		return err
	}
	packages := b.dir.Packages()
	if !slices.Contains(packages, ".") {
		return &pipeline.UsageError{Message: fmt.Sprintf("there is no Kptfile in %s", b.path), Hint: "name the folder of the package"}
	}
	for _, folder := range packages {
		if err := b.addPackage(folder, functions); err != nil {
			return err
		}
	}
	if len(b.steps) == 0 {
		return &pipeline.UsageError{Message: fmt.Sprintf("the Kptfile of %s names no function", b.path), Hint: "add one to pipeline.mutators or pipeline.validators"}
	}
	return nil
}

func (b *batch) functionMap() (*krm.FunctionMap, error) {
	if b.flags.pipeline.functions == "" {
		return &krm.FunctionMap{}, nil
	}
	return readFunctionMap(b.flags.pipeline.functions)
}

// addPackage adds the functions of one Kptfile. The files of their
// functionConfigs are no resources.
func (b *batch) addPackage(folder string, functions *krm.FunctionMap) error {
	name := path.Join(folder, "Kptfile")
	data, err := b.dir.ReadFile(name, krm.MaxKptfileBytes)
	if err != nil {
		return err
	}
	kptfile, err := krm.ParseKptfile(b.named(name), data)
	if err != nil {
		return err
	}
	for _, f := range kptfile.Functions {
		st, err := b.kptStep(folder, f, functions)
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", b.named(name), f.Line, err)
		}
		b.steps = append(b.steps, st)
	}
	return nil
}

// named is a file of the directory as the user names it.
func (b *batch) named(name string) string { return filepath.Join(b.path, filepath.FromSlash(name)) }

func (b *batch) kptStep(folder string, f krm.KptFunction, functions *krm.FunctionMap) (step, error) {
	st := step{folder: folder, name: f.Image + f.Exec}
	st.req = pipeline.Request{
		Role: policy.RoleTransformer, AllowMove: b.flags.tree.move,
		View: pipeline.Selection{Match: selectorsOf(f.Match), Exclude: selectorsOf(f.Exclude)},
	}
	if f.Validator {
		st.req.Role = policy.RoleValidator
	}
	err := b.kptModule(&st.req, folder, f, functions)
	if err != nil {
		return st, err
	}
	switch {
	case f.ConfigPath != "":
		file := path.Join(folder, f.ConfigPath)
		data, err := b.dir.ReadFile(file, krm.DefaultLimits().Bytes)
		if errors.Is(err, fs.ErrNotExist) {
			return st, &pipeline.UsageError{Message: fmt.Sprintf("there is no functionConfig %s", b.named(file)), Hint: "configPath is relative to the Kptfile"}
		}
		if err != nil {
			return st, fmt.Errorf("reading the functionConfig: %w", err)
		}
		if st.config, err = krm.ParseConfig(b.named(file), data, krm.DefaultLimits()); err != nil {
			return st, err
		}
		b.dir.Leave(file)
	case f.ConfigMap != nil:
		if st.config, err = krm.NewConfigMap("function-input", f.ConfigMap); err != nil {
			return st, err
		}
	}
	return st, nil
}

// plainExec is a command line without anything that a shell would see in it.
var plainExec = lazy.Regexp(`^[A-Za-z0-9@:._/=+ -]+$`)

// kptModule finds the module of a function: what the operator's map says, else what
// the package names.
func (b *batch) kptModule(req *pipeline.Request, folder string, f krm.KptFunction, functions *krm.FunctionMap) error {
	spec, known := functions.Lookup(f.Image)
	if f.Exec != "" {
		spec, known = functions.LookupExec(f.Exec)
	}
	if known {
		req.NamedBy = pipeline.NamedByFlag
		req.Image, req.File = mapped(spec, filepath.Dir(b.flags.pipeline.functions))
		return nil
	}
	if f.Exec != "" {
		image, err := wrappedImage(f.Exec)
		req.Image = image
		if err != nil {
			return err
		}
		return confine(req, b.named(folder))
	}
	req.Image = f.Image
	host, _, found := strings.Cut(f.Image, "/")
	if ref, err := oci.ParseRef(f.Image); err == nil && ref.Source == oci.SourceLayout {
		found, host = true, "."
	}
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("the image %q names no registry", f.Image),
			Hint:    "write the module's whole reference, or say with --functions which module stands in for it",
		}
	}
	return confine(req, b.named(folder))
}

// wrappedImage gives the module of a function that kpt runs as "krmsafe exec --image
// REF". What else such a line says is the operator's to decide, who says it here.
func wrappedImage(line string) (string, error) {
	refuse := &pipeline.UsageError{
		Message: fmt.Sprintf("the function is the program %q, which krmsafe does not run", line),
		Hint:    `name a module: image: REF, or exec: "krmsafe exec --image REF" and nothing else; or say with --functions which module stands in for the program`,
	}
	if !plainExec().MatchString(line) {
		return "", refuse
	}
	words := strings.Fields(line)
	if len(words) < 3 || path.Base(words[0]) != "krmsafe" || words[1] != "exec" {
		return "", refuse
	}
	image, joined := strings.CutPrefix(words[2], "--image=")
	switch {
	case joined && len(words) == 3 && image != "":
		return image, nil
	case words[2] == "--image" && len(words) == 4:
		return words[3], nil
	}
	return "", refuse
}

func selectorsOf(list []krm.Selector) []policy.Selector {
	out := make([]policy.Selector, 0, len(list))
	for _, s := range list {
		out = append(out, policy.Selector(s))
	}
	return out
}
