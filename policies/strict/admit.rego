# METADATA
# title: Strict
# description: >-
#   For functions that are small and well known. The module is signed, from a registry, named by digest, built without
#   files or sockets and with the features that every compiler emits; the jail is complete; Secrets are hidden; only
#   labels, annotations, images, replicas, resources and namespaces change.
package krmsafe.admit

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
# title: What speaks against
reasons contains r if some r in signature.required

reasons contains r if some r in source.pinned

reasons contains r if some r in source.registry_only

reasons contains r if some r in runtime.no_ignored_log

reasons contains r if some r in runtime.full_jail

reasons contains r if some r in module.baseline

reasons contains r if some r in module.import_classes_outside({"args", "clock", "process", "random", "stdio"})

reasons contains r if some r in module.features_outside(_features)

reasons contains r if some r in module.larger_than(8 * 1024 * 1024)

reasons contains r if some r in budget.exceeded(limits)

_features := {"bulk-memory", "multi-value", "mutable-globals", "reference-types", "saturating-float-to-int", "sign-extension"}

# METADATA
# title: The least jail
jail := "full"

# METADATA
# title: The engine
# description: The interpreter makes no machine code, so no compiler's mistake can become an escape.
engine := "interpreter"

# METADATA
# title: What the function may see
# description: No Secrets, not even placeholders.
view := {"secrets": "hidden"}

# METADATA
# title: What the function may change
changes := {"only": ["labels-and-annotations", "images", "resources-and-replicas", "namespace"]}

# METADATA
# title: What a run may use
limits := {
	"memoryPages": 2048,
	"tableElements": 100000,
	"callDepth": 1000,
	"fuel": 20000000000,
	"timeout": "30s",
	"compileTimeout": "10s",
	"compileBytes": 536870912,
	"outputBytes": 67108864,
	"stderrBytes": 65536,
}
