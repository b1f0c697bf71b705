# METADATA
# title: What the bench runs under
# description: >-
#   A signature without exception and all rules of the baseline; limits for 10,000 resources in a function built with
#   Go and kyaml.
package krmsafe.admit

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.signature

default allow := false

allow if count(reasons) == 0

reasons contains r if some r in signature.required

reasons contains r if some r in module.baseline

reasons contains r if some r in budget.exceeded(limits)

view := {"secrets": "placeholders"}

changes := {
	"only": ["labels-and-annotations"],
	"protected": [{"group": "", "kind": "Secret"}],
}

limits := {
	"memoryPages": 57344,
	"tableElements": 1000000,
	"callDepth": 1900,
	"fuel": 100000000000000,
	"timeout": "600s",
	"compileTimeout": "300s",
	"compileBytes": 2147483648,
	"outputBytes": 268435456,
	"stderrBytes": 1048576,
}
