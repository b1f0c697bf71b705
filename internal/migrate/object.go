package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// The annotations that name a function.
const (
	functionKey  = "config.kubernetes.io/function"
	formerKey    = "config.k8s.io/function"
	containerKey = "config.kubernetes.io/container"
	wrappedKey   = "krmsafe.dev/function"
	configFn     = "configFn"
)

func quote(s string) string { return strconv.Quote(s) }

// scanMetadata looks for the spellings in an object's metadata.
func (t *Tree) scanMetadata(f *textFile, o krm.Place, place, base string) {
	meta := o.Field("metadata")
	annotations := meta.Field("annotations")
	if meta.IsAlias() || annotations.IsAlias() {
		t.add(f, o, join(place, "metadata"), base).block("alias", "write the annotations out in full", "its metadata comes by an alias or a merge key")
		return
	}
	t.scanAnnotations(f, o, annotations, place, base)
	if fn := meta.Field(configFn); fn.Exists() {
		found := t.add(f, o, join(place, "metadata.configFn"), base)
		found.Line = fn.Line()
		classify(found, fn)
		found.wrapped(annotations)
		found.rewrite = rewriteConfigFn(meta, fn, found)
		if len(named(annotations)) > 0 {
			found.conflict()
		}
	}
}

// named are the different functions that annotations name.
func named(annotations krm.Place) map[string]bool {
	values := map[string]bool{}
	for _, key := range []string{functionKey, formerKey, containerKey} {
		if a := annotations.Field(key); a.Exists() {
			text, _ := a.Text()
			values[text] = true
		}
	}
	return values
}

func (f *Function) conflict() {
	f.block("conflict", "keep one of them, "+functionKey, "it names a function in more than one way")
}

// scanAnnotations looks at a mapping of annotations.
func (t *Tree) scanAnnotations(f *textFile, o, annotations krm.Place, place, base string) {
	for _, a := range annotations.Fields() {
		if !slices.Contains([]string{functionKey, formerKey, containerKey}, a.Key()) {
			continue
		}
		found := t.add(f, o, join(place, a.Key()), base)
		found.Line = a.Line()
		switch value, ok := a.Text(); {
		case !ok:
			found.block("malformed", "write it as a block: |", "the annotation is not text")
		case a.Key() == containerKey:
			found.Runtime, found.Reference, found.State = "container", value, StateMoves
			found.rewrite = rewriteContainerKey(a)
		default:
			scanSpec(found, a)
			found.wrapped(annotations)
		}
		if len(named(annotations)) > 1 {
			found.conflict()
		}
	}
}

// scanSpec reads the YAML of a function annotation.
func scanSpec(found *Function, a krm.Place) {
	inner, err := a.Inner()
	if err != nil {
		found.block("malformed", "", err.Error())
		return
	}
	docs := inner.Documents()
	switch {
	case len(docs) != 1:
		found.block("malformed", "", "the annotation holds no YAML document, or more than one")
		return
	case docs[0].Err != nil:
		found.block("malformed", "mend it: no client can read it", "the annotation cannot be read: "+docs[0].Err.Error())
		return
	}
	root := docs[0].Root
	classify(found, root)
	found.rewrite = rewriteAnnotation(a, root)
}

// classify reads the mapping that names a runtime and says whether its function can move.
func classify(f *Function, root krm.Place) {
	f.State = StateMoves
	for _, field := range root.Fields() {
		switch key := field.Key(); key {
		case "container", "exec", "starlark", "wasip1":
			if f.Runtime != "" {
				f.block("conflict", "keep one of them", fmt.Sprintf("it names the runtimes %q and %q", f.Runtime, key))
				return
			}
			f.Runtime = key
		case "deferFailure":
		default:
			f.block("malformed", "mend it: no client can read it", fmt.Sprintf("unknown key %q", key))
			return
		}
	}
	switch spec := root.Field(f.Runtime); {
	case f.Runtime == "":
		f.block("malformed", "", "it names no runtime")
	case root.IsAlias() || !spec.IsMapping() || spec.IsAlias():
		f.block("malformed", "", f.Runtime+" is not a mapping that is written out")
	case f.Runtime == "container":
		classifyContainer(f, spec)
	case f.Runtime == "exec":
		classifyExec(f, spec)
	case f.Runtime == "starlark":
		f.block("runtime", "write the function in a language that compiles to WebAssembly", "it is Starlark, which no module replaces and kustomize has dropped")
	default: // wasip1
		f.State = StateDone
		if f.Reference, _ = spec.Field("image").Text(); f.Reference == "" {
			f.Reference, _ = spec.Field("file").Text()
		}
	}
	deferred := !root.Field("deferFailure").Empty()
	switch {
	case deferred && f.wraps == wrapsImage:
		f.wraps, f.Named = wrapsOther, ""
	case deferred && f.State == StateMoves && f.wraps == "":
		f.block("defer_failure", "remove it if the function may fail the build", "deferFailure is not supported: a failed function always fails the run")
	}
}

func classifyContainer(f *Function, spec krm.Place) {
	f.Reference, _ = spec.Field("image").Text()
	if f.Reference == "" {
		f.block("malformed", "", "container names no image")
		return
	}
	for _, field := range spec.Fields() {
		switch key := field.Key(); key {
		case "image":
		case "network":
			if !field.Empty() && !field.Field("required").Empty() || !field.Empty() && !field.IsMapping() {
				f.block("network", "give it what it fetches as resources or in its functionConfig", "it asks for the network, which no module has")
			}
		case "mounts":
			if !field.Empty() {
				f.block("mounts", "give it what it reads as resources or in its functionConfig", "it mounts files, and a module has none")
			}
		case "envs":
			if !field.Empty() {
				f.block("envs", "give it these settings in its functionConfig", "it asks for environment variables, and a module has none")
			}
		default:
			f.block("malformed", "mend it: no client can read it", fmt.Sprintf("unknown key %q under container", key))
		}
		if f.State == StateBlocked {
			return
		}
	}
}

func classifyExec(f *Function, spec krm.Place) {
	command, _ := spec.Field("path").Text()
	for _, arg := range spec.Field("args").Elements() {
		a, ok := arg.Text()
		if !ok || a == "" {
			f.block("malformed", "", "an argument of exec is not text")
			return
		}
		command += " " + a
	}
	f.Reference = command
	switch {
	case command == "":
		f.block("malformed", "", "exec names no program")
	case isWrapper(command):
		f.Runtime = "krmsafe"
		words := texts(spec.Field("args").Elements())
		switch program, _ := spec.Field("path").Text(); {
		case len(words) == 0:
			f.wraps = wrapsNothing
		case wrappedImage(words) == "" || strings.Contains(program, " ") || !spec.Field("envs").Empty():
			f.wraps = wrapsOther
		default:
			f.wraps, f.Named = wrapsImage, wrappedImage(words)
		}
	case !spec.Field("envs").Empty():
		f.block("envs", "give it these settings in its functionConfig", "it asks for environment variables, and a module has none")
	}
}
