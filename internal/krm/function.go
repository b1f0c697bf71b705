package krm

import (
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// functionKeys are the annotations that name a function, the current spelling first.
var functionKeys = []string{"config.kubernetes.io/function", "config.k8s.io/function"}

// FunctionSpec names the module that a functionConfig asks for. Exactly one field is set. It is a request by whoever
// wrote the functionConfig and nothing more.
type FunctionSpec struct {
	Image string // OCI reference
	File  string // path, relative to the file that holds the annotation
}

// ErrNoFunction says that a functionConfig has no function annotation.
var ErrNoFunction = errors.New("the functionConfig has no annotation \"config.kubernetes.io/function\"")

// ParseFunction reads the function annotation of a functionConfig, config.kubernetes.io/function or the older
// config.k8s.io/function, as KEP-2906 writes it for WebAssembly: "wasip1: {image: REF}" or "wasip1: {file: PATH}".
// It is strict: an unknown key, a key twice, both spellings with different text, or any other runtime is a
// *SyntaxError whose line counts in the annotation's text. Where there is no annotation the error is ErrNoFunction.
func ParseFunction(config *Object) (FunctionSpec, error) {
	if config == nil {
		return FunctionSpec{}, ErrNoFunction
	}
	return annotationError(parseFunction(config.node, functionKeys))
}

// wrappedKey is the annotation that names a module where the function annotation already names krmsafe as a program.
const wrappedKey = "krmsafe.dev/function"

// ParseWrapped reads the annotation krmsafe.dev/function, which holds what ParseFunction reads of the function
// annotation: clients that do not know wasip1 start krmsafe as a program and pass this one along. Where it is missing the
// function annotation itself is read. It is as strict as ParseFunction: two annotations that name different modules are
// a *SyntaxError. Where neither names a module the error is ErrNoFunction.
func ParseWrapped(config *Object) (FunctionSpec, error) {
	if config == nil {
		return FunctionSpec{}, ErrNoFunction
	}
	spec, err := annotationError(parseFunction(config.node, []string{wrappedKey}))
	other, otherErr := annotationError(parseFunction(config.node, functionKeys))
	foreign, _ := errors.AsType[*SyntaxError](otherErr)
	switch {
	case errors.Is(err, ErrNoFunction) && foreign != nil && foreign.Code == "function.runtime":
		return FunctionSpec{}, err // the program that it names is krmsafe
	case errors.Is(err, ErrNoFunction):
		return other, otherErr
	case err == nil && otherErr == nil && spec != other:
		return FunctionSpec{}, &SyntaxError{
			Code: "function.conflict", Message: "function annotation: " + strconv.Quote(wrappedKey) + " and " + strconv.Quote(functionKeys[0]) + " name different modules",
			Hint: "keep one of them",
		}
	}
	return spec, err
}

// NamesProgram says whether a functionConfig's annotations name a program or a container, as they do where kustomize
// starts one.
func NamesProgram(config *Object) bool {
	if config == nil {
		return false
	}
	_, err := ParseFunction(config)
	foreign, _ := errors.AsType[*SyntaxError](err)
	meta := field(config.node, "metadata")
	return foreign != nil && foreign.Code == "function.runtime" ||
		field(field(meta, "annotations"), "config.kubernetes.io/container") != nil || field(meta, "configFn") != nil
}

// ParseFunctionBlock reads what a function annotation holds from the text of a file of its own. name is what errors call
// the file.
func ParseFunctionBlock(name string, data []byte) (FunctionSpec, error) {
	spec, err := parseSpec(data)
	return spec, named("function.", name, err)
}

// annotationError turns a problem into the operator's error about an annotation.
func annotationError(spec FunctionSpec, err error) (FunctionSpec, error) {
	if p, ok := errors.AsType[*problem](err); ok {
		return FunctionSpec{}, &SyntaxError{
			Code: "function." + p.reason, Line: p.line, Column: p.column,
			Message: "function annotation: " + p.message, Hint: p.hint,
		}
	}
	return spec, err
}

func parseFunction(config *yaml.Node, keys []string) (FunctionSpec, error) {
	found := ""
	for _, key := range keys {
		value := field(field(field(config, "metadata"), "annotations"), key)
		if value == nil {
			continue
		}
		if value.Kind != yaml.ScalarNode || value.Tag != strTag {
			return FunctionSpec{}, problemf("malformed", 0, 0, "its value is not text").withHint("write it as a block: |")
		}
		if found != "" && found != value.Value {
			return FunctionSpec{}, problemf("conflict", 0, 0, "%q and %q name different functions", keys[0], key).
				withHint("keep " + keys[0])
		}
		found = value.Value
		if found == "" {
			return FunctionSpec{}, problemf("malformed", 0, 0, "its value is empty").withHint(wasip1Hint)
		}
	}
	if found == "" {
		return FunctionSpec{}, ErrNoFunction
	}
	return parseSpec([]byte(found))
}

const wasip1Hint = "write \"wasip1: {image: REF}\" or \"wasip1: {file: PATH}\""

func parseSpec(data []byte) (FunctionSpec, error) {
	body, err := text(data, 64<<10)
	if err != nil {
		return FunctionSpec{}, err
	}
	root, err := decodeOne(body)
	if err != nil {
		return FunctionSpec{}, err
	}
	if empty(root) || root.Kind != yaml.MappingNode {
		return FunctionSpec{}, problemf("malformed", 0, 0, "its value is not a mapping").withHint(wasip1Hint)
	}
	if err := (&gate{limits: Limits{Nodes: 1000, Depth: 16}}).pass(root); err != nil {
		return FunctionSpec{}, err
	}
	for i := 0; i < len(root.Content); i += 2 {
		k := root.Content[i]
		switch k.Value {
		case "wasip1":
		case "container", "exec", "starlark":
			return FunctionSpec{}, problemf("runtime", k.Line, k.Column, "the runtime %q is not run by krmsafe", k.Value).
				withHint("build the function for wasip1 and write \"wasip1: {image: REF}\"")
		case "deferFailure":
			return FunctionSpec{}, problemf("key", k.Line, k.Column, "deferFailure is not supported: a failed function always fails the run").
				withHint("remove it")
		default:
			return FunctionSpec{}, problemf("key", k.Line, k.Column, "unknown key %q", short(k.Value)).withHint(wasip1Hint)
		}
	}
	return wasip1Spec(field(root, "wasip1"), root)
}

func wasip1Spec(n, root *yaml.Node) (FunctionSpec, error) {
	if n == nil {
		return FunctionSpec{}, problemf("malformed", root.Line, root.Column, "it names no runtime").withHint(wasip1Hint)
	}
	if n.Kind != yaml.MappingNode {
		return FunctionSpec{}, problemf("malformed", n.Line, n.Column, "wasip1 is not a mapping").withHint(wasip1Hint)
	}
	var spec FunctionSpec
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Value != "image" && k.Value != "file" {
			return FunctionSpec{}, problemf("key", k.Line, k.Column, "unknown key %q under wasip1", short(k.Value)).withHint(wasip1Hint)
		}
		if v.Kind != yaml.ScalarNode || v.Tag != strTag || v.Value == "" {
			return FunctionSpec{}, problemf("malformed", v.Line, v.Column, "wasip1.%s is not text", k.Value).withHint(wasip1Hint)
		}
		if err := identifier("wasip1."+k.Value, v.Value, v); err != nil {
			return FunctionSpec{}, err
		}
		if k.Value == "image" {
			spec.Image = v.Value
		} else {
			spec.File = v.Value
		}
	}
	if (spec.Image == "") == (spec.File == "") {
		return FunctionSpec{}, problemf("malformed", n.Line, n.Column, "wasip1 needs exactly one of image and file").withHint(wasip1Hint)
	}
	return spec, nil
}
