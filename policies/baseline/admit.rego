# METADATA
# title: Baseline
# description: >-
#   Holds where the operator gives no policy. The module is signed by a trusted authority, or accepted unsigned with
#   --allow-unsigned; it is a WASI preview 1 command that defines its own memory; it fits its limits.
package krmsafe.admit

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.signature
import data.krmsafe.lib.source

# METADATA
# title: Allowed where nothing speaks against
default allow := false

allow if count(reasons) == 0

# METADATA
# title: What speaks against
reasons contains r if some r in signature.required_or_accepted

reasons contains r if some r in module.baseline

reasons contains r if some r in budget.exceeded(limits)

# METADATA
# title: What the operator should see
warnings contains r if some r in signature.accepted_unsigned

warnings contains r if some r in source.tag_in_function_config

# METADATA
# title: The least jail
# description: Complete, unless the operator asks for less with --require-jail.
jail := input.request.flags.requireJail

# METADATA
# title: What the function may see
# description: Secrets as placeholders.
view := {"secrets": "placeholders"}

# METADATA
# title: What the function may change
# description: What the output policy lets pass; no further bound.
changes := {"only": ["any"]}

# METADATA
# title: What a run may use
# description: Enough for a function built with Go and kyaml on some thousand resources.
limits := {
	"memoryPages": 8192,
	"tableElements": 1000000,
	"callDepth": 1900,
	"fuel": 100000000000,
	"timeout": "60s",
	"compileTimeout": "40s",
	"compileBytes": 1073741824,
	"outputBytes": 268435456,
	"stderrBytes": 1048576,
}
