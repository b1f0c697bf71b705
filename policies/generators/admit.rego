# METADATA
# title: Generators
# description: >-
#   For functions that make new objects. The rules of the baseline without its exception for unsigned modules; the
#   function sees no Secrets and may only add objects of the kinds in data.params.kinds, or ConfigMaps, Services,
#   Deployments and StatefulSets where that says nothing.
package krmsafe.admit

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.signature

# METADATA
# title: Allowed where nothing speaks against
default allow := false

allow if count(reasons) == 0

# METADATA
# title: What speaks against
reasons contains r if some r in signature.required

reasons contains r if some r in module.baseline

reasons contains r if some r in budget.exceeded(limits)

# METADATA
# title: The least jail
# description: Complete, unless the operator asks for less with --require-jail.
jail := input.request.flags.requireJail

# METADATA
# title: What the function may see
view := {"secrets": "hidden"}

# METADATA
# title: What the function may change
# description: It may add objects of certain kinds and nothing else.
changes := {"only": ["generator"], "add": object.get(data.params, "kinds", _kinds)}

_kinds := [
	{"group": "", "kind": "ConfigMap"},
	{"group": "", "kind": "Service"},
	{"group": "apps", "kind": "Deployment"},
	{"group": "apps", "kind": "StatefulSet"},
]

# METADATA
# title: What a run may use
limits := {
	"memoryPages": 8192,
	"tableElements": 1000000,
	"callDepth": 1900,
	"fuel": 100000000000,
	"timeout": "60s",
	"compileTimeout": "40s",
	"compileBytes": 1073741824,
	"outputBytes": 67108864,
	"stderrBytes": 1048576,
}
