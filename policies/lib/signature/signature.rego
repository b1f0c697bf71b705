# METADATA
# title: Signatures
# description: Rules over who signed the module. Only input.verified is signed truth.
package krmsafe.lib.signature

import data.krmsafe.lib.reason

# METADATA
# title: A signature is required
# description: The module is signed by an authority of the trust policy, without exception.
# custom:
#   id: signature.missing
#   remedy: sign the module with cosign and name its signer with --key, or with --certificate-identity and --certificate-oidc-issuer
required contains r if {
	not input.verified.signed
	r := reason.new(rego.metadata.rule(), sprintf("no trusted signature on %s", [_subject]))
}

# METADATA
# title: A signature is required unless the operator accepts an unsigned module
# description: >-
#   As required, but --allow-unsigned on the command line is honoured. A module from --file carries no signature,
#   so it needs that flag as well: a gate must not run bytes just because they lie on its disk.
# custom:
#   id: signature.missing
#   remedy: sign the module and name its signer with --key, or accept it unsigned with --allow-unsigned
required_or_accepted contains r if {
	not input.verified.signed
	not input.request.flags.allowUnsigned
	r := reason.new(rego.metadata.rule(), sprintf("no trusted signature on %s", [_subject]))
}

# METADATA
# title: An unsigned module was accepted
# description: A warning for the operator who accepts an unsigned module.
# custom:
#   id: signature.accepted_unsigned
#   remedy: sign the module and leave out --allow-unsigned
accepted_unsigned contains r if {
	not input.verified.signed
	input.request.flags.allowUnsigned
	r := reason.new(rego.metadata.rule(), sprintf("%s runs unsigned, because of --allow-unsigned", [_subject]))
}

_subject := sprintf("module %s", [input.request.reference])

# METADATA
# title: One of certain signers signed
# description: >-
#   Takes a set or list of signers, each {"keyID"} of a key or {"issuer", "subject"} of a certificate, and looks for one
#   of them among the verified signatures.
# custom:
#   id: signature.signer
#   remedy: have the module signed by an accepted signer, or accept its own in the policy
signers_outside(signers) := {r |
	not _signed_by(signers)
	r := reason.new(rego.metadata.rule(), sprintf("none of the accepted signers signed %s", [_subject]))
}

_signed_by(signers) if {
	some s in input.verified.signatures
	s.type == "key"
	{"keyID": s.keyID} in signers
}

_signed_by(signers) if {
	some s in input.verified.signatures
	s.type == "certificate"
	{"issuer": s.issuer, "subject": s.subject} in signers
}
