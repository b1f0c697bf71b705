# METADATA
# title: Sources
# description: Rules over where a module comes from. A source proves nothing by itself; ask for a signature as well.
package krmsafe.lib.source

import data.krmsafe.lib.reason

# METADATA
# title: Modules are named by digest
# description: A tag can be moved between two runs; a digest cannot. A file has no digest of its own and is refused.
# custom:
#   id: source.not_pinned
#   remedy: name the module by digest, as NAME@sha256:…; krmsafe lock finds it
pinned contains r if {
	not input.request.pinned
	r := reason.new(rego.metadata.rule(), sprintf("%s is not named by digest", [input.request.reference]))
}

# METADATA
# title: Modules come from certain repositories
# description: >-
#   Takes a set or list of prefixes such as ghcr.io/acme, each of which holds for that repository and all below it.
# custom:
#   id: source.repository
#   remedy: copy the module to an accepted repository, or accept its own in the policy
outside(prefixes) := {r |
	not _within(prefixes)
	r := reason.new(rego.metadata.rule(), sprintf("%s comes from none of the accepted repositories", [input.request.reference]))
}

_within(prefixes) if {
	input.request.source == "registry"
	some prefix in prefixes
	full := concat("/", [input.request.registry, input.request.repository])
	startswith(concat("", [full, "/"]), concat("", [trim_suffix(prefix, "/"), "/"]))
}

# METADATA
# title: Modules come from a registry
# custom:
#   id: source.not_registry
#   remedy: push the module to a registry and name it with --image
registry_only contains r if {
	input.request.source != "registry"
	r := reason.new(rego.metadata.rule(), sprintf("%s comes from a %s and not from a registry", [input.request.reference, input.request.source]))
}

# METADATA
# title: A functionConfig names modules by digest
# description: >-
#   Whoever writes a functionConfig chooses code by it. Where it names a tag, whoever may push that tag chooses as well.
# custom:
#   id: source.tag_in_function_config
#   remedy: name the module by digest in the functionConfig's annotation; krmsafe lock finds it
tag_in_function_config contains r if {
	input.request.namedBy == "function-config"
	input.request.source == "registry"
	not input.request.pinned
	r := reason.new(rego.metadata.rule(), sprintf("the functionConfig names %s by tag", [input.request.reference]))
}
