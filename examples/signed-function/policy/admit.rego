# METADATA
# title: Functions that only label
# description: >-
#   The policy of an organisation that runs signed functions to set labels and annotations. Copy it, change the
#   registries, and put your own rules beside these.
package krmsafe.admit

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.reason
import data.krmsafe.lib.signature

# METADATA
# title: Allowed where nothing speaks against
default allow := false

allow if count(reasons) == 0

# METADATA
# title: What the house requires
# description: A signature without exception, a plain WASI command, and a module that fits its limits.
reasons contains r if some r in signature.required

reasons contains r if some r in module.baseline

reasons contains r if some r in budget.exceeded(limits)

# METADATA
# title: Functions come from our registries
# description: A layout on disk counts as ours, since the signature says who made it. A bare file does not.
# custom:
#   id: acme.registry
#   remedy: push the function to one of the registries in policy/admit.rego
reasons contains r if {
	not _ours
	r := reason.new(rego.metadata.rule(), sprintf("%s is not in a registry of ours", [input.request.reference]))
}

_registries := {"registry.example.com:5000", "ghcr.io"}

_ours if {
	input.request.source == "registry"
	input.request.registry in _registries
}

_ours if input.request.source == "oci-layout"

# METADATA
# title: No capabilities beyond those of a Go program
# description: >-
#   Go's runtime imports files, clock and random numbers whether it uses them or not. The sandbox answers with an
#   empty file system, a fixed clock and fixed numbers.
# custom:
#   id: acme.import_class
#   remedy: build the function without sockets and without host functions of its own
reasons contains r if {
	some class in input.module.importClasses
	not class in _classes
	r := reason.new(rego.metadata.rule(), sprintf("the module imports functions of class %s", [class]))
}

_classes := {"stdio", "args", "clock", "random", "fs", "poll", "process"}

# METADATA
# title: What a run may use
# description: Enough for some hundred resources. A function can ask for less, never for more.
limits := {
	"memoryPages": 4096,
	"fuel": 50000000000,
	"timeout": "60s",
	"compileTimeout": "40s",
	"outputBytes": 16777216,
}

# METADATA
# title: What a run may change
# description: >-
#   Labels and annotations, and nothing else. Roles and Secrets are protected kinds, so labelling them must be said.
changes := {
	"only": ["labels-and-annotations"],
	"protected": [
		{"group": "", "kind": "Secret"},
		{"group": "rbac.authorization.k8s.io", "kind": "Role"},
		{"group": "rbac.authorization.k8s.io", "kind": "RoleBinding"},
	],
}
