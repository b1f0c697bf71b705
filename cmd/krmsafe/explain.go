package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// fail tells a person why a command could not do its work, in one line, with
// the remedy in a second one where there is one, and gives the exit code.
func (a *app) fail(err error) int {
	code, hint := explain(err)
	_, _ = fmt.Fprintf(a.err, "krmsafe: error: %s\n", plain.Line(err.Error()))
	if hint != "" {
		_, _ = fmt.Fprintf(a.err, "krmsafe: hint: %s\n", plain.Line(hint))
	}
	return code
}

// explain gives the exit code that an error stands for, and its remedy.
func explain(err error) (code int, hint string) {
	var (
		usage    *pipeline.UsageError
		ref      *oci.RefError
		registry *oci.RegistryError
		artifact *oci.ArtifactError
		large    *oci.LimitError
		layout   *oci.LayoutError
		module   *sandbox.ModuleError
		trust    *verify.PolicyError
		compile  *policy.CompileError
		load     *policy.LoadError
		syntax   *krm.SyntaxError
		empty    *emptyInputError
		left     *incompleteError
		jail     *sandbox.JailError
		refused  *kustomize.RefusedError
		unbuilt  *kustomize.BuildError
		inTheWay *inTheWayError
	)
	switch {
	case errors.As(err, &unbuilt):
		return pipeline.ExitError, unbuilt.Hint
	case errors.As(err, &inTheWay):
		return pipeline.ExitError, "take it away, or name another folder; nothing was written"
	case errors.As(err, &left):
		return pipeline.ExitError, "--no-ignore takes in what .krmignore names, --include-subpackages folders with a Kptfile; rename other files to end in .yaml, or take them away"
	case errors.As(err, &refused) && refused.Output:
		return pipeline.ExitOutputRefused, refused.Hint
	case errors.As(err, &refused):
		return pipeline.ExitRefused, refused.Hint
	case errors.As(err, &usage):
		return pipeline.ExitUsage, usage.Hint
	case errors.As(err, &ref):
		return pipeline.ExitUsage, ref.Hint
	case errors.As(err, &artifact):
		return pipeline.ExitRefused, artifact.Hint
	case errors.As(err, &large):
		return pipeline.ExitRefused, large.Hint
	case errors.As(err, &module):
		return pipeline.ExitRefused, module.Hint
	case errors.As(err, &trust):
		return pipeline.ExitUsage, trust.Hint
	case errors.As(err, &compile):
		return pipeline.ExitUsage, compile.Hint()
	case errors.As(err, &load):
		return pipeline.ExitUsage, load.Hint
	case errors.As(err, &syntax):
		return pipeline.ExitError, syntax.Hint
	case errors.As(err, &empty):
		return pipeline.ExitError, "where none are meant, pass a ResourceList with items: []; a generator is run with --type generator"
	case errors.As(err, &jail):
		return pipeline.ExitError, jail.Hint
	case errors.Is(err, context.Canceled):
		return pipeline.ExitError, "it was interrupted; nothing was printed"
	case errors.As(err, &layout):
		return pipeline.ExitError, layout.Hint
	case errors.As(err, &registry):
		if registry.Hint == "" && registry.Status == 0 {
			return pipeline.ExitError, "check the registry's name and the network; without one, pull it elsewhere and name it as oci-layout:DIR"
		}
		return pipeline.ExitError, registry.Hint
	case errors.Is(err, fs.ErrNotExist):
		if missing, ok := errors.AsType[*fs.PathError](err); ok && filepath.IsAbs(missing.Path) {
			return pipeline.ExitError, "check the path; one that a configuration names is relative to the configuration's folder"
		}
		return pipeline.ExitError, "check the path; it is relative to the current folder"
	default:
		return pipeline.ExitError, ""
	}
}

// reasonOf gives the stable code of an error, for reports and audit logs.
func reasonOf(err error) string {
	var (
		usage    *pipeline.UsageError
		ref      *oci.RefError
		registry *oci.RegistryError
		layout   *oci.LayoutError
		trust    *verify.PolicyError
		compile  *policy.CompileError
		load     *policy.LoadError
		syntax   *krm.SyntaxError
		jail     *sandbox.JailError
		refused  *kustomize.RefusedError
	)
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case errors.As(err, &usage):
		return "usage"
	case errors.As(err, &ref):
		return ref.Code
	case errors.As(err, &trust):
		return trust.Code
	case errors.As(err, &compile):
		return compile.Code()
	case errors.As(err, &load):
		return load.Code
	case errors.As(err, &syntax):
		return syntax.Code
	case errors.As(err, &jail):
		return jail.Code
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &layout):
		return layout.Code
	case errors.As(err, &registry):
		return registry.Code
	case errors.Is(err, errBug):
		return "internal"
	default:
		return "error"
	}
}
