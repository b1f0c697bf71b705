# METADATA
# title: Runtime
# description: Rules over where the module would run.
package krmsafe.lib.runtime

import data.krmsafe.lib.reason

# METADATA
# title: The jail is complete
# description: Every layer that confines the child process holds on this machine.
# custom:
#   id: runtime.jail
#   remedy: run on Linux 6.12 or later with Landlock and seccomp
full_jail contains r if {
	input.runtime.jail != "full"
	r := reason.new(rego.metadata.rule(), sprintf("the module would run with the jail %q, want \"full\"", [input.runtime.jail]))
}

# METADATA
# title: The operator asks for no lesser jail
# custom:
#   id: runtime.require_jail
#   remedy: leave out --require-jail
no_lesser_jail contains r if {
	input.request.flags.requireJail != "full"
	r := reason.new(rego.metadata.rule(), sprintf("--require-jail=%s was given", [input.request.flags.requireJail]))
}
