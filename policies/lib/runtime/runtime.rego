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

# METADATA
# title: The operator does without no log
# custom:
#   id: runtime.ignored_log
#   remedy: leave out --insecure-ignore-tlog and --insecure-ignore-sct
no_ignored_log contains r if {
	some flag, given in _ignored
	given
	r := reason.new(rego.metadata.rule(), sprintf("%s was given", [flag]))
}

_ignored := {
	"--insecure-ignore-tlog": input.request.flags.insecureIgnoreTLog,
	"--insecure-ignore-sct": input.request.flags.insecureIgnoreSCT,
}
