# METADATA
# title: Resources
# description: Rules over what the function is given.
package krmsafe.lib.resources

import data.krmsafe.lib.reason

# METADATA
# title: No Secrets in the input
# custom:
#   id: resources.secrets
#   remedy: leave Secrets out with --exclude-kind Secret
no_secrets contains r if {
	input.resources.containsSecrets
	r := reason.new(rego.metadata.rule(), "the input contains Secrets")
}

# METADATA
# title: Only certain namespaces
# description: Takes a set or list of namespaces. Objects without a namespace are no matter of this rule.
# custom:
#   id: resources.namespace
#   remedy: run the function on the accepted namespaces only, with --match-namespace
outside_namespaces(namespaces) := {r |
	some namespace in input.resources.namespaces
	not namespace in namespaces
	r := reason.new(rego.metadata.rule(), sprintf("the input has objects of the namespace %s", [namespace]))
}
