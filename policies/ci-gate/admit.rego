# METADATA
# title: CI gate
# description: >-
#   For a pipeline that must give the same answer each time and leave a trace. The module is signed and named by digest,
#   --allow-unsigned, --require-jail and --insecure-ignore-* are not honoured, and nothing is granted that would make two runs differ.
#   Dated exceptions in data.params.exceptions excuse single reasons for single digests; each shows as a warning.
package krmsafe.admit

import data.krmsafe.lib.exceptions
import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.runtime
import data.krmsafe.lib.signature
import data.krmsafe.lib.source

# METADATA
# title: Allowed where nothing speaks against
default allow := false

allow if count(reasons) == 0

# METADATA
# title: What speaks against and is not excused
# description: A missing signature and an incomplete jail cannot be excused.
reasons contains r if some r in signature.required

reasons contains r if some r in runtime.no_lesser_jail

reasons contains r if some r in runtime.no_ignored_log

reasons contains r if some r in runtime.full_jail

reasons contains r if some r in exceptions.remaining(_excusable, _exceptions)

_excusable contains r if some r in source.pinned

_excusable contains r if some r in module.baseline

_excusable contains r if some r in budget.exceeded(limits)

_exceptions := object.get(data.params, "exceptions", [])

# METADATA
# title: Exceptions in use, and those that are over
warnings contains w if some w in exceptions.used(_excusable, _exceptions)

warnings contains w if some w in exceptions.expired(_exceptions)

# METADATA
# title: The least jail
jail := "full"

# METADATA
# title: What the function is given
# description: No clock and no chance; two runs are alike.
grants := {"clock": false, "random": false}

# METADATA
# title: What the function may see
view := {"secrets": "placeholders"}

# METADATA
# title: What the function may change
changes := {"only": ["any"]}

# METADATA
# title: What a run may use
limits := {
	"memoryPages": 8192,
	"tableElements": 1000000,
	"callDepth": 1900,
	"fuel": 100000000000,
	"timeout": "120s",
	"compileTimeout": "80s",
	"compileBytes": 1073741824,
	"outputBytes": 268435456,
	"stderrBytes": 65536,
}
