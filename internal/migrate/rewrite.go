package migrate

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// move finds the module of one function and rewrites it.
func (t *Tree) move(ctx context.Context, f *Function, form Form, resolve Resolve) error {
	if f.wraps != "" && f.settled(form) {
		return nil
	}
	if form == FormKptExec && !f.kpt {
		f.block("form", "use --to wasip1 or --to exec", "kpt-exec rewrites Kptfiles, and this is not one")
		return nil
	}
	v, reason, err := resolve(ctx, f)
	switch {
	case err != nil:
		return err
	case reason != nil:
		f.State, f.Reason, f.rewrite = StateBlocked, reason, nil
		return nil
	case v.Image == "" && v.File == "":
		f.block("no_variant", "", "no module is known that stands in for it")
		return nil
	case f.kpt && form == FormWasip1 && v.Image == f.Reference:
		f.Runtime, f.State = "wasip1", StateDone
		return nil
	case v.File != "":
		if !t.fromBase(f, &v) {
			return nil
		}
	}
	if failed := f.text.text.Try(func() error { return f.rewrite(form, v) }); failed != nil {
		f.block("layout", "rewrite it by hand", "its text is not edited in place: "+editMessage(failed))
		return nil
	}
	f.Variant = v
	return nil
}

// editMessage is an edit's error without its line, which counts in the document.
func editMessage(err error) string {
	if e, ok := errors.AsType[*krm.EditError](err); ok {
		return e.Message
	}
	return err.Error()
}

// fromBase names a module's file as the functionConfig must name it.
func (t *Tree) fromBase(f *Function, v *Variant) bool {
	switch {
	case f.kpt:
		f.block("file", "publish the module with krmsafe push and map the image to that", "a Kptfile names images, and the module is a file")
		return false
	case f.unsure:
		f.block("file", "publish the module with krmsafe push and map the image to that", "which folder a file would be relative to depends on the kustomization that lists it")
		return false
	}
	rel, err := filepath.Rel(filepath.Join(t.root, filepath.FromSlash(f.Base)), v.File)
	if err != nil {
		f.block("file", "publish the module with krmsafe push", "the module's file cannot be named from here")
		return false
	}
	v.File = filepath.ToSlash(rel)
	return true
}

// spec is a function annotation that names a module, in one line or in several.
func spec(v Variant, lines bool) string {
	key, value := "image", v.Image
	if v.File != "" {
		key, value = "file", v.File
	}
	value = scalar(value)
	if lines {
		return "wasip1:\n  " + key + ": " + value + "\n"
	}
	return "wasip1: {" + key + ": " + value + "}"
}

// scalar writes a reference or a path inside a function annotation.
func scalar(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("./_-:@", r)
	}) || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "@") || strings.HasSuffix(s, ":") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

// rewriteAnnotation rewrites a function annotation.
func rewriteAnnotation(a, root krm.Place) func(Form, Variant) error {
	return func(form Form, v Variant) error {
		old, _ := a.Text()
		lines := strings.Contains(strings.TrimSpace(old), "\n")
		if form == FormExec {
			return wrap(a, v, lines)
		}
		runtime := root.Field("container")
		image := runtime.Field("image")
		if len(root.Fields()) > 1 || len(runtime.Fields()) != 1 || !image.Exists() {
			return a.SetText(spec(v, lines)) // an exec, or settings that fall away
		}
		value := v.Image
		if v.File != "" {
			value = v.File
			if err := image.Rename("file"); err != nil {
				return err
			}
		}
		if err := runtime.Rename("wasip1"); err != nil {
			return err
		}
		return image.SetText(value)
	}
}

// wrap makes an annotation start krmsafe, and names the module in a second one above it.
func wrap(a krm.Place, v Variant, lines bool) error {
	block := lines && a.InBlock()
	if err := a.InsertBefore(spec(v, block), wrappedKey); err != nil {
		return err
	}
	if block {
		return a.SetText("exec:\n  path: krmsafe\n")
	}
	return a.SetText("exec: {path: krmsafe}")
}

// rewriteContainerKey rewrites the annotation that was an image alone.
func rewriteContainerKey(a krm.Place) func(Form, Variant) error {
	return func(form Form, v Variant) error {
		if form == FormExec {
			if err := wrap(a, v, true); err != nil {
				return err
			}
		} else if err := a.SetText(spec(v, a.InBlock())); err != nil {
			return err
		}
		return a.Rename(functionKey)
	}
}

// rewriteConfigFn takes metadata.configFn out and writes the annotation.
func rewriteConfigFn(meta, fn krm.Place, f *Function) func(Form, Variant) error {
	if f.State != StateMoves {
		return nil
	}
	return func(form Form, v Variant) error {
		annotations := meta.Field("annotations")
		keys := []string{"annotations"}
		var beside krm.Place
		if fields := annotations.Fields(); len(fields) > 0 {
			beside, keys = fields[0], nil
		} else {
			for _, m := range meta.Fields() {
				if m.Key() != configFn && m.Key() != "annotations" {
					beside = m
				}
			}
		}
		key := func(k string) []string { return append(slices.Clone(keys), k) }
		if form == FormExec {
			if len(keys) > 0 {
				return &krm.EditError{Message: "there are no annotations to add two to"}
			}
			if err := beside.InsertBefore(spec(v, true), key(wrappedKey)...); err != nil {
				return err
			}
			if err := beside.InsertBefore("exec:\n  path: krmsafe\n", key(functionKey)...); err != nil {
				return err
			}
			return fn.Remove()
		}
		if err := beside.InsertBefore(spec(v, beside.InBlock()), key(functionKey)...); err != nil {
			return err
		}
		return fn.Remove()
	}
}

// rewriteStep rewrites a function of a Kptfile.
func rewriteStep(step krm.Place) func(Form, Variant) error {
	return func(form Form, v Variant) error {
		key, value := "image", v.Image
		if form != FormWasip1 {
			key, value = "exec", "krmsafe exec --image "+v.Image
		}
		if step.Key() != key {
			if err := step.Rename(key); err != nil {
				return err
			}
		}
		return step.SetText(value)
	}
}

// changes carries the edits out in memory. A file whose edits do not come out as they must stays, with all functions in
// it; the other files are not touched by that.
func (t *Tree) changes() ([]krm.FileChange, error) {
	var changes []krm.FileChange
	for _, name := range t.dir.Files() {
		text := t.texts[name].text
		if !text.Edited() {
			continue
		}
		after, err := text.Bytes()
		if err != nil {
			for _, f := range t.Functions {
				if f.Path == name && f.State == StateMoves {
					f.block("layout", "rewrite it by hand", "the file is not edited in place: "+editMessage(err))
				}
			}
			continue
		}
		changes = append(changes, krm.FileChange{Path: name, Before: t.dir.File(name), After: after})
	}
	return changes, nil
}
