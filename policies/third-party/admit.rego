# METADATA
# title: Third party
# description: >-
#   For functions that others publish. The module comes from a repository in data.params.repositories, named by digest,
#   signed, with verified SLSA provenance by a builder in data.params.builders; it sees no Secrets and changes no more
#   than data.params.changes grants, or labels and annotations where that says nothing.
package krmsafe.admit

import data.krmsafe.lib.attestation
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

reasons contains r if some r in source.outside(data.params.repositories)

reasons contains r if some r in attestation.builder_outside(data.params.builders)

reasons contains r if some r in runtime.full_jail

reasons contains r if some r in module.baseline

reasons contains r if some r in budget.exceeded(limits)

# METADATA
# title: The least jail
jail := "full"

# METADATA
# title: What the function may see
# description: No Secrets, not even placeholders.
view := {"secrets": "hidden"}

# METADATA
# title: What the function may change
changes := object.get(data.params, "changes", {"only": ["labels-and-annotations"]})

# METADATA
# title: What a run may use
limits := {
	"memoryPages": 4096,
	"tableElements": 500000,
	"callDepth": 1900,
	"fuel": 50000000000,
	"timeout": "60s",
	"compileTimeout": "40s",
	"compileBytes": 1073741824,
	"outputBytes": 134217728,
	"stderrBytes": 262144,
}
