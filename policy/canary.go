package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Canaries are inputs that no careful policy allows. A policy that does is
// not loaded, unless Config.Permissive names the canary. Rego's compiler
// cannot see that a policy says yes to everything; trying it can.
const (
	// CanaryEmpty is a run of which nothing is known.
	CanaryEmpty = "empty"
	// CanaryWorst is an unsigned module that imports everything, with all the
	// memory there is, outside a jail, over Secrets.
	CanaryWorst = "worst-case"
	// CanaryUnsigned is a well-built module that nobody signed, without
	// --allow-unsigned.
	CanaryUnsigned = "unsigned"
	// CanaryOutput is an output in which workloads are gone, and RBAC, a webhook
	// and a function annotation have appeared. There is no empty counterpart: a
	// function that changed nothing may well be allowed.
	CanaryOutput = "worst-output"
)

type canary struct {
	name  string
	entry entry
	input any
	means string
}

func canaries() []canary {
	return []canary{
		{CanaryEmpty, admitEntry, Facts{}.Normalize(), "a module of which nothing is known"},
		{CanaryWorst, admitEntry, worstFacts().Normalize(), "an unsigned module with every import, all memory and no jail"},
		{CanaryUnsigned, admitEntry, unsignedFacts().Normalize(), "a module that nobody signed, without --allow-unsigned"},
		{CanaryOutput, outputEntry, worstChanges().Normalize(), "an output without the workloads and with new RBAC, a webhook and a planted function"},
	}
}

func checkPermissive(names []string) error {
	var known []string
	for _, c := range canaries() {
		known = append(known, c.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return &LoadError{
				Code: "policy.permissive", Message: fmt.Sprintf("unknown permission %q for a policy", name),
				Hint: "known are " + strings.Join(known, ", "),
			}
		}
	}
	return nil
}

// tryCanaries fails if the policy allows a canary that is not permitted by
// name. A policy that fails on a canary refuses it, which is fine.
func (l *local) tryCanaries(ctx context.Context, permitted []string) error {
	for _, c := range canaries() {
		if slices.Contains(permitted, c.name) {
			continue
		}
		input, err := json.Marshal(c.input)
		if err != nil {
			return fmt.Errorf("writing canary %s: %w", c.name, err)
		}
		value, err := l.ask(ctx, c.entry, input)
		var failed *evalError
		if errors.As(err, &failed) {
			continue
		}
		if err != nil {
			return err
		}
		if c.entry.decode(value).Allow {
			return &LoadError{
				Code: "policy.permissive", Message: fmt.Sprintf("the policy allows %s", c.means),
				Hint: fmt.Sprintf("refuse it in %s, or say that it is meant with --permissive-policy %s", c.entry.pkg, c.name),
			}
		}
	}
	return nil
}

// worstFlags lower every safety but AllowUnsigned: a policy that honours that
// one, as the baseline does, is no permissive one.
func worstFlags() Flags {
	return Flags{
		RequireJail: JailNone, Mode: "warn", InsecureIgnoreTLog: true, InsecureIgnoreSCT: true,
		PermissivePolicy: []string{CanaryEmpty, CanaryUnsigned, CanaryWorst, CanaryOutput},
	}
}

func worstFacts() Facts {
	facts := Facts{
		Request: Request{Source: "registry", Reference: "registry.invalid/unknown/function:latest", Registry: "registry.invalid", Repository: "unknown/function", Tag: "latest", Flags: worstFlags()},
		Module: Module{
			SizeBytes: 64 * mib, Functions: 1_000_000, CodeBytes: 60 * mib, LargestFunctionBytes: 60 * mib, DeepestNesting: 1_000_000,
			Memory:  Memory{Declared: true, Imported: true, MinPages: 65536, MaxPages: 65536},
			Tables:  []Table{{Type: "funcref", MinElements: 100_000_000, MaxElements: 1<<32 - 1}, {Type: "externref", MinElements: 100_000_000, MaxElements: 1<<32 - 1}},
			Globals: 1_000_000, StartSection: true, EntryPoint: "_start",
			Features: []string{"bulk-memory", "multi-value", "mutable-globals", "reference-types", "saturating-float-to-int", "sign-extension", "simd"},
		},
		Runtime:   Runtime{Engine: EngineCompiler, Jail: JailNone, OS: "linux", Arch: "amd64", CompiledCode: "imported"},
		Resources: Resources{Count: 100_000, Kinds: []ResourceKinds{{Version: "v1", Kind: "Secret", Count: 100_000}}, Namespaces: []string{"kube-system"}, ContainsSecrets: true},
	}
	for _, class := range []string{"stdio", "args", "clock", "random", "fs", "net", "process", "poll", "other"} {
		facts.Module.Imports = append(facts.Module.Imports, Import{Module: "wasi_snapshot_preview1", Name: "any_" + class, Kind: "func", Class: class})
	}
	for _, kind := range []string{"func", "table", "memory", "global"} {
		facts.Module.Imports = append(facts.Module.Imports, Import{Module: "env", Name: "any_" + kind, Kind: kind, Class: "other"})
	}
	return facts
}

func unsignedFacts() Facts {
	return Facts{
		Request: Request{Source: "registry", Reference: "registry.invalid/unknown/function:latest", Registry: "registry.invalid", Repository: "unknown/function", Tag: "latest"},
		Module: Module{
			Digest: "sha256:" + strings.Repeat("0", 64), SizeBytes: 100_000, Functions: 100, CodeBytes: 90_000,
			Imports: []Import{
				{Module: "wasi_snapshot_preview1", Name: "fd_read", Kind: "func", Class: "stdio"},
				{Module: "wasi_snapshot_preview1", Name: "fd_write", Kind: "func", Class: "stdio"},
			},
			Exports: []Export{{Name: "_start", Kind: "func"}, {Name: "memory", Kind: "memory"}},
			Memory:  Memory{Declared: true, MinPages: 16, MaxPages: 256, HasMax: true}, EntryPoint: "_start",
			Tables: []Table{{Type: "funcref", MinElements: 10, MaxElements: 10, HasMax: true}},
		},
		Runtime:   Runtime{Engine: EngineInterpreter, Jail: JailFull, OS: "linux", Arch: "amd64", CompiledCode: "none"},
		Resources: Resources{Count: 1, Kinds: []ResourceKinds{{Version: "v1", Kind: "ConfigMap", Count: 1}}},
	}
}

func worstChanges() Changes {
	object := json.RawMessage(`{"metadata":{"name":"owned","annotations":{"config.kubernetes.io/function":"exec: {path: ./owned}"}}}`)
	whole := func(op, group, kind string) Change {
		c := Change{Op: op, Resource: ResourceID{Group: group, Version: "v1", Kind: kind, Name: "owned"}}
		if op == OpAdd {
			c.After = object
		} else {
			c.Before = object
		}
		return c
	}
	return Changes{
		Request: worstFacts().Request, Function: FunctionRole{Role: RoleTransformer}, Granted: ChangeGrant{Only: []string{AllowanceAny}},
		Changes: []Change{
			whole(OpRemove, "apps", "Deployment"),
			whole(OpAdd, "rbac.authorization.k8s.io", "ClusterRoleBinding"),
			whole(OpAdd, "admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
			whole(OpAdd, "apiextensions.k8s.io", "CustomResourceDefinition"),
			{
				Op: OpReplace, Resource: ResourceID{Version: "v1", Kind: "Secret", Namespace: "kube-system", Name: "owned"},
				Path: []string{"data", "token"}, Pointer: "/data/token", Before: json.RawMessage(`"x"`), After: json.RawMessage(`"y"`),
			},
			{
				Op: OpAdd, Resource: ResourceID{Version: "v1", Kind: "ConfigMap", Name: "owned"},
				Path: []string{"metadata", "annotations", "config.kubernetes.io/function"}, Pointer: "/metadata/annotations/config.kubernetes.io~1function",
				After: json.RawMessage(`"exec: {path: ./owned}"`),
			},
		},
		Summary: ChangeSummary{
			Added: 3, Removed: 1, Changed: 2, SecretsTouched: 1, ReservedAnnotations: []string{"config.kubernetes.io/function"},
			KindsAdded:   []string{"admissionregistration.k8s.io/MutatingWebhookConfiguration", "apiextensions.k8s.io/CustomResourceDefinition", "rbac.authorization.k8s.io/ClusterRoleBinding"},
			KindsRemoved: []string{"apps/Deployment"}, KindsChanged: []string{"ConfigMap", "Secret"},
		},
	}
}
