package krmsafe.lib.attestation_test

import data.krmsafe.lib.attestation
import data.krmsafe.lib.fixture

attested(predicate_type, predicate) := object.union(fixture.facts, {"verified": {"attestations": [{
	"authority": "build", "predicateType": predicate_type, "predicate": predicate,
}]}})

slsa(builder) := attested(attestation.slsa_provenance, {"runDetails": {"builder": {"id": builder}}})

ids(reasons) := {r.id | some r in reasons}

test_missing_allowed if count(attestation.missing("t")) == 0 with input as attested("t", {})

test_missing_denied if {
	ids(attestation.missing("t")) == {"attestation.missing"} with input as fixture.facts
	ids(attestation.missing("t")) == {"attestation.missing"} with input as attested("u", {})
}

test_builder_allowed if count(attestation.builder_outside({"b"})) == 0 with input as slsa("b")

test_builder_denied if {
	every document in [fixture.facts, slsa("c"), attested(attestation.slsa_provenance, null), attested("u", {"runDetails": {"builder": {"id": "b"}}})] {
		ids(attestation.builder_outside({"b"})) == {"attestation.builder"} with input as document
	}
}

signed(type, repository) := object.union(fixture.facts, {"verified": {"signatures": [{
	"authority": "a", "type": type, "format": "bundle", "keyID": "", "issuer": "i", "subject": "s", "annotations": {},
	"extensions": {"sourceRepositoryURI": repository}, "timestamps": [],
}]}})

test_source_allowed if count(attestation.source_outside(["r"])) == 0 with input as signed("certificate", "r")

test_source_denied if {
	every document in [fixture.facts, signed("certificate", "q"), signed("key", "r")] {
		ids(attestation.source_outside(["r"])) == {"attestation.source_repository"} with input as document
	}
}
