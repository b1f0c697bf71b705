# METADATA
# title: "Policy for fn.wasm"
# description: Drawn by krmsafe policy init from one module and what it did. Read it before you use it.
package krmsafe.admit

# Note: no run was observed: limits are the defaults, and the function may change nothing until changes says what
# Note: the module is not signed: the policy pins it by its digest, and allows it only where --allow-unsigned is given

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.reason
import data.krmsafe.lib.signature

default allow := false

allow if count(reasons) == 0

reasons contains r if some r in signature.required_or_accepted

# METADATA
# title: The module is the one that the policy was drawn for
# custom:
#   id: module.pinned
#   remedy: look at the new module, and draw a policy for it
reasons contains r if {
	input.module.digest != "sha256:3333333333333333333333333333333333333333333333333333333333333333"
	r := reason.new(rego.metadata.rule(), sprintf("the module is %s", [input.module.digest]))
}

reasons contains r if some r in module.baseline

reasons contains r if some r in module.import_classes_outside({"fs", "random", "stdio"})

reasons contains r if some r in module.features_outside({"bulk-memory", "sign-extension"})

reasons contains r if some r in module.larger_than(5000000)

reasons contains r if some r in budget.exceeded(limits)

jail := "full"

view := {"secrets": "hidden"}

changes := {
	"only": [],
	"add": [],
	"remove": [],
	"protected": [],
	"fields": [],
}

limits := {
	"memoryPages": 8192,
	"tableElements": 4900,
	"callDepth": 1900,
	"fuel": 100000000000,
	"timeout": "1m0s",
	"compileTimeout": "40s",
	"compileBytes": 1073741824,
	"outputBytes": 268435456,
	"stderrBytes": 1048576,
}
