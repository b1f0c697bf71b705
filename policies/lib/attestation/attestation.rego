# METADATA
# title: Attestations
# description: Rules over verified statements on how the module was built. Predicates have the shape of their type.
package krmsafe.lib.attestation

import data.krmsafe.lib.reason

# METADATA
# title: The predicate type of SLSA provenance
slsa_provenance := "https://slsa.dev/provenance/v1"

# METADATA
# title: A certain attestation is required
# description: Takes a predicate type.
# custom:
#   id: attestation.missing
#   remedy: attest the module when it is built, such as with cosign attest, and trust the attestor
missing(predicate_type) := {r |
	not predicate_type in {a.predicateType | some a in input.verified.attestations}
	r := reason.new(rego.metadata.rule(), sprintf("no verified attestation of type %s", [predicate_type]))
}

# METADATA
# title: The module was built by an accepted builder
# description: Takes a set or list of builder ids, and looks for SLSA provenance v1 by one of them.
# custom:
#   id: attestation.builder
#   remedy: build the module with an accepted builder
builder_outside(builders) := {r |
	not _built_by(builders)
	r := reason.new(rego.metadata.rule(), "no verified SLSA provenance names an accepted builder")
}

_built_by(builders) if {
	some a in input.verified.attestations
	a.predicateType == slsa_provenance
	a.predicate.runDetails.builder.id in builders
}

# METADATA
# title: The module was built from an accepted repository
# description: >-
#   Takes a set or list of source repositories, such as https://github.com/acme/functions, and looks for one of them
#   in the certificate of a verified signature, where Fulcio put what the OIDC issuer said.
# custom:
#   id: attestation.source_repository
#   remedy: build and sign the module in the workflow of an accepted repository
source_outside(repositories) := {r |
	not _built_from(repositories)
	r := reason.new(rego.metadata.rule(), "no verified signature was made in a workflow of an accepted repository")
}

_built_from(repositories) if {
	some s in input.verified.signatures
	s.type == "certificate"
	s.extensions.sourceRepositoryURI in repositories
}
