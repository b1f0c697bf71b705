// Package krmfilter runs KRM functions compiled to WebAssembly inside a kyaml pipeline: a Filter is a kio.Filter that
// fetches a module, verifies who signed it, asks a policy, runs it in a sandbox, and lets through only what the policy
// allows of what it changed.
//
// It knows kyaml's nodes and the order in which krmsafe judges; it does not know files, flags, or standard streams.
//
// A program makes one Judge, which holds the policy, the trust and the sandbox, and any number of Filters:
//
//	judge, err := krmfilter.New(ctx, krmfilter.Config{
//		Policy: krmfilter.Policy{Builtin: []string{"baseline"}},
//		Trust:  trust, // a verify.TrustPolicy
//	})
//	…
//	defer judge.Close()
//	set := &krmfilter.Filter{Judge: judge, Context: ctx, Image: "ghcr.io/acme/set-metadata:v1", FunctionConfig: config}
//	err = kio.Pipeline{Inputs: …, Filters: []kio.Filter{set}, Outputs: …}.Execute()
//
// # The hook
//
// A module runs in a child process, and so does a policy of one's own. The child is the same executable started again,
// so main must become it when it is asked to, before it does anything else; TestMain of a test does the same:
//
//	func main() {
//		if krmfilter.IsChild(os.Args) {
//			os.Exit(krmfilter.Child(os.Args))
//		}
//		…
//	}
//
// # What is promised
//
// A resource that the function left alone comes back as the very *yaml.RNode that went in. One that it changed comes back
// as a new node with the comments, order and style of the old one wherever a value is the same; the old node is not
// touched. Where there is an error no node comes back and none was touched. What the function was not shown, and nodes that
// are not Kubernetes objects, come back in their places. Annotations in which kyaml and kustomize keep books are put
// back as they were.
//
// The zero Filter, the zero Config and the zero Policy refuse.
//
// # Why not kyaml's FunctionFilter
//
// FunctionFilter reads what a function wrote before it looks at how the function ended, takes an empty answer for
// "delete everything", puts annotations on each resource that passes, shows results to nobody, and
// chooses resources by the prefix of a path, so that a function in foo is given foobar as well. Here the function's end is looked at first, the
// answer must be one ResourceList with items, results are told whatever the end, and Match and Exclude choose.
package krmfilter

import (
	"context"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// IsChild reports whether args, the program's argument list, are those of a child that a Judge started. See the package's
// documentation.
func IsChild(args []string) bool { return sandbox.IsChild(args) || policy.IsChild(args) }

// Child is the life of such a child. It returns the code with which main must exit at once.
func Child(args []string) int {
	if sandbox.IsChild(args) {
		return sandbox.Child(args)
	}
	return policy.Child(args)
}

// Severities from which a result refuses the output; see Filter.FailOn.
const (
	FailOnError   = "error"
	FailOnWarning = "warning"
	FailOnInfo    = "info"
	FailNever     = "never"
)

// Filter is one function of a pipeline. It implements kio.Filter and, as kyaml's own function filters do, GetExit. Its
// fields are set before it is used and not changed after. It may be used again, by one goroutine at a time; filters of
// one Judge may run at the same time.
type Filter struct {
	// Judge decides and runs. It must not be nil.
	Judge *Judge
	// Context ends the run when it is done. It must not be nil: kio.Filter has no place for one.
	Context context.Context

	// Image is the module as an OCI artifact: registry/repo[:tag][@sha256:…] or oci-layout:DIR[:tag|@sha256:…]. Exactly
	// one of Image, File and Module is set.
	Image string
	// File is the path of a module.
	File string
	// Module holds the bytes of a module. They must not be changed. Name is what reports and errors call it.
	Module []byte
	Name   string
	// Bundles is evidence about the module beside what is attached to an image, such as a signature of a file. It is
	// trusted no more than that.
	Bundles []verify.Evidence

	// FunctionConfig is given to the function; nil for none. It is not changed.
	FunctionConfig *yaml.RNode
	// Role is what the function is for: policy.RoleTransformer, RoleGenerator or RoleValidator. Empty is a transformer. A
	// validator that changes anything is refused by every shipped policy.
	Role string
	// Match shows the function only resources that one of these fits, all where it is empty; Exclude hides those that one
	// of these fits. The policy may hide more. What is hidden comes back in its place.
	Match, Exclude []policy.Selector
	// Limits lower those of the policy; zero fields leave the policy's in force, and a higher one is an error.
	Limits policy.Limits
	// FailOn is the severity from which on a result refuses the output. Empty is FailOnError.
	FailOn string
	// CheckDeterminism runs the function twice and refuses one whose runs differ.
	CheckDeterminism bool

	// DeferFailure makes Filter return the nodes as they came, and no error, where the function itself failed: by its exit
	// code, or by results at or above FailOn. The failure is then only in GetExit. What krmsafe refuses is never deferred.
	DeferFailure bool
	// OnResults is called with the function's results, after each run that had any, whatever its end was.
	OnResults func([]Result)
	// OnReport is called after each judgement with all that is known of it, as JSON (krmsafe.dev/report/v1). Values of
	// Secrets are not in it; texts in it may be the function's own.
	OnReport func([]byte)

	exit error
}

var _ kio.Filter = (*Filter)(nil)

// GetExit is the failure of the last run, nil where it went well or there was none. runfn and the like ask for it after
// a pipeline whose functions may defer their failures.
func (f *Filter) GetExit() error { return f.exit }

// Filter judges and runs the function on nodes. The error is a *RefusedError where krmsafe or the policy refused or the
// function failed, a *ConfigError where the Filter cannot be carried out as written or nodes cannot be read, and
// another one where krmsafe could not judge. On each of them nothing that the function wrote is returned.
func (f *Filter) Filter(nodes []*yaml.RNode) ([]*yaml.RNode, error) {
	out, err := f.run(nodes)
	f.exit = err
	if refused, ok := err.(*RefusedError); ok && refused.own && f.DeferFailure { //nolint:errorlint // not wrapped by run
		return nodes, nil
	}
	return out, err
}

// name is what the module is called where it is only bytes.
func (f *Filter) name() string {
	switch {
	case f.Module == nil:
		return f.File
	case f.Name != "":
		return f.Name
	}
	return "module"
}
