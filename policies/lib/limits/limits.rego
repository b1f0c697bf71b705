# METADATA
# title: Limits
# description: Rules that compare what a module asks for with what it would be granted.
package krmsafe.lib.limits

import data.krmsafe.lib.reason

# METADATA
# title: The module fits its limits
# description: A module that starts with more memory or table entries than it is granted cannot run.
exceeded(limits) := _memory(limits) | _tables(limits)

# METADATA
# title: The module's memory fits
# custom:
#   id: limits.memory
#   remedy: raise limits.memoryPages in the policy, or build a smaller function
_memory(limits) := {r |
	input.module.memory.minPages > limits.memoryPages
	r := reason.new(rego.metadata.rule(), sprintf(
		"the module starts with %d memory pages and is granted %d",
		[input.module.memory.minPages, limits.memoryPages],
	))
}

# METADATA
# title: The module's tables fit
# custom:
#   id: limits.tables
#   remedy: raise limits.tableElements in the policy
_tables(limits) := {r |
	total := sum([t.minElements | some t in input.module.tables])
	total > limits.tableElements
	r := reason.new(rego.metadata.rule(), sprintf(
		"the module starts with %d table entries and is granted %d",
		[total, limits.tableElements],
	))
}
