# METADATA
# title: Functions without files
# description: >-
#   A stricter policy: the module may not even import functions for files. Nothing that Go's compiler builds passes
#   it, since Go's runtime imports them whether the program opens files or not; what is built in C, Rust, Zig or by
#   hand can.
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
reasons contains r if some r in signature.required

reasons contains r if some r in module.baseline

reasons contains r if some r in budget.exceeded(limits)

# METADATA
# title: No files
# description: The list says what is accepted, so a class that krmsafe learns of later is refused until it is added.
# custom:
#   id: acme.no_filesystem
#   remedy: build the function with a toolchain that imports only what it uses
reasons contains r if {
	some class in input.module.importClasses
	not class in {"stdio", "args", "clock", "random", "poll", "process"}
	names := {i.name | some i in input.module.imports; i.class == class}
	r := reason.new(rego.metadata.rule(), sprintf("the module imports functions of class %s: %s", [class, concat(", ", names)]))
}

# METADATA
# title: What a run may use
limits := {
	"memoryPages": 256,
	"fuel": 10000000000,
	"timeout": "30s",
	"compileTimeout": "20s",
	"outputBytes": 16777216,
}
