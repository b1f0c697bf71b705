// Package migrate finds the functions of other runtimes that a tree of kustomizations, functionConfigs and Kptfiles names,
// and rewrites them, where they stand, to name WebAssembly modules.
//
// It knows every spelling in which kustomize and kpt let a function be named, and it knows text: a file of which
// something is rewritten keeps every other byte. It does not know registries, maps of modules, signatures or policy:
// its caller says which module stands in for which function, and a run judges that module like any other.
//
// What it reads is foreign and bounded, and it decides nothing by what it did not find: what cannot be read but speaks of
// functions, what lies behind a symbolic link and what a kustomization lists beyond the tree is reported and counts as
// left. Nothing is written before everything can be, nothing outside of the directory, and nothing through a link.
package migrate

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// Form is how a function that moves is written.
type Form string

// The forms.
const (
	// FormWasip1 writes "wasip1: {image: REF}" into the annotation, for krmsafe build; a Kptfile names the module
	// as its image, for krmsafe run --pipeline.
	FormWasip1 Form = "wasip1"
	// FormExec writes "exec: {path: krmsafe}" and the module in a second annotation, for kustomize itself from 5.0
	// on; a Kptfile starts krmsafe exec.
	FormExec Form = "exec"
	// FormKptExec writes "exec: krmsafe exec --image REF" into Kptfiles, for kpt itself, and leaves annotations.
	FormKptExec Form = "kpt-exec"
)

// Forms are all forms, the default first.
func Forms() []Form { return []Form{FormWasip1, FormExec, FormKptExec} }

// State is what becomes of a function.
type State string

// The states.
const (
	StateDone    State = "done"    // it names a module already
	StateMoves   State = "moves"   // it is rewritten
	StateBlocked State = "blocked" // it stays, and Reason says why
)

// Reason says why a function stays as it is.
type Reason struct {
	Code    string `json:"code"` // stable: "migrate." and a word
	Message string `json:"message"`
	Hint    string `json:"hint"` // "" where there is none
}

// Function is one place that names a function.
type Function struct {
	Path       string  `json:"path"` // slash-separated, under the directory
	Line       int     `json:"line"` // from 1
	Place      string  `json:"place"`
	APIVersion string  `json:"apiVersion"` // of the functionConfig, "" in a Kptfile
	Kind       string  `json:"kind"`
	Name       string  `json:"name"`
	Runtime    string  `json:"runtime"`   // container, exec, starlark, wasip1, krmsafe, or "" where it cannot be told
	Reference  string  `json:"reference"` // image, or command
	State      State   `json:"state"`
	Variant    Variant `json:"variant"`
	Reason     *Reason `json:"reason"` // set where State is StateBlocked

	// Base is the folder, slash-separated under the directory, that a module's file is named relative to; unsure says
	// that it depends on who lists the functionConfig.
	Base   string `json:"-"`
	unsure bool

	// Named is the image that the arguments of a program krmsafe name, and nothing besides; "" for others.
	Named string `json:"-"`
	wraps wraps

	rewrite func(Form, Variant) error // nil where there is nothing to rewrite
	text    *textFile
	kpt     bool
}

// Variant is the module that stands in for a function. The zero Variant is none.
type Variant struct {
	Image  string `json:"image"`  // OCI reference, "" for a file
	File   string `json:"file"`   // absolute path; in a report relative to Function.Base
	Source string `json:"source"` // who says so: map, index, tag-suffix, arguments
}

// Skipped is something that was not looked into and may name functions.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Tree is a directory with the functions that its files name. It must be closed.
type Tree struct {
	Functions []*Function // by path, then line
	Skipped   []Skipped   // by path
	dir       *krm.Directory
	root      string // absolute
	limits    krm.Limits
	texts     map[string]*textFile
	lists     map[string][]listing // by the path that a kustomization lists
	links     map[string]bool      // that are skipped
	looked    int                  // functions and inline texts that were looked into
}

// textFile is one file of the tree.
type textFile struct {
	path string
	text *krm.Text
}

// listing is one entry of a kustomization.
type listing struct {
	base     string // folder of the kustomization
	function bool   // of generators, transformers or validators
}

// Open reads a directory. Manifests are the files named *.yaml and *.yml, kustomizations, Kptfiles, and whatever else a
// kustomization lists as a function. The error is a *krm.SyntaxError where a limit is passed, MaxFunctions among them; a file that cannot be read as
// YAML is none.
func Open(dir string, limits krm.Limits) (*Tree, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d, err := krm.OpenFiles(dir, limits, isManifest)
	if err != nil {
		return nil, err
	}
	t := &Tree{dir: d, root: root, limits: limits, texts: map[string]*textFile{}, lists: map[string][]listing{}, links: map[string]bool{}}
	if t.scan(); t.full() {
		_ = d.Close()
		return nil, &krm.SyntaxError{
			Code: "migrate.limit.functions", Message: fmt.Sprintf("the directory holds more than %d functions and texts that may be some", MaxFunctions),
			Hint: "migrate it folder by folder",
		}
	}
	return t, nil
}

// MaxFunctions bounds how many functions, and texts inside kustomizations that may be some, a directory may hold.
const MaxFunctions = 10_000

// full says whether the bound is passed, and nothing more is looked at.
func (t *Tree) full() bool { return t.looked > MaxFunctions }

// Close releases the directory.
func (t *Tree) Close() error { return t.dir.Close() }

// Left counts what is not moved: functions that would move, those that cannot, and what was not looked into.
func (t *Tree) Left() int {
	n := len(t.Skipped)
	for _, f := range t.Functions {
		if f.State != StateDone {
			n++
		}
	}
	return n
}

// Resolve names the module that stands in for a function of the runtime container, exec or krmsafe. A Reason says why there is none;
// the error is for a resolver that could not tell, and ends the migration. A Variant whose Image is the function's own
// Reference says that it is one already.
type Resolve func(context.Context, *Function) (Variant, *Reason, error)

// Move asks for a module for each function that has none, rewrites, and says which files change. Nothing is written. A
// function whose text cannot be rewritten in place becomes blocked. Move is called once.
func (t *Tree) Move(ctx context.Context, form Form, resolve Resolve) ([]krm.FileChange, error) {
	for _, f := range t.Functions {
		if f.State != StateMoves {
			continue
		}
		if err := t.move(ctx, f, form, resolve); err != nil {
			return nil, err
		}
	}
	return t.changes()
}

// Write carries out changes: all of them or none.
func (t *Tree) Write(changes []krm.FileChange) error {
	return t.dir.Write(changes, krm.WriteOptions{})
}

func (f *Function) block(code, hint, message string) {
	f.State, f.Variant, f.rewrite = StateBlocked, Variant{}, nil
	f.Reason = &Reason{Code: "migrate." + code, Message: message, Hint: hint}
}
