package krmsafe.admit_test

import data.krmsafe.admit
import data.krmsafe.lib.fixture

built := object.union(fixture.facts, {"verified": {"attestations": [{
	"authority": "build",
	"predicateType": "https://slsa.dev/provenance/v1",
	"predicate": {"runDetails": {"builder": {"id": data.params.builders[0]}}},
}]}})

ids(change) := {r.id | some r in admit.reasons with input as object.union(built, change)}

test_built_and_signed_allowed if admit.allow with input as built

test_denied if {
	not admit.allow with input as fixture.facts
	ids({"verified": {"attestations": []}}) == {"attestation.builder"}
	ids({"verified": {"signed": false}}) == {"signature.missing"}
	ids({"request": {"pinned": false}}) == {"source.not_pinned"}
	ids({"request": {"repository": "other/fn"}}) == {"source.repository"}
	ids({"runtime": {"jail": "none"}}) == {"runtime.jail"}
	ids({"module": {"startSection": true}}) == {"module.start_section"}
	ids({"module": {"memory": {"minPages": 4097}}}) == {"limits.memory"}
}

test_grants_little if {
	admit.jail == "full"
	admit.view.secrets == "hidden"
	admit.changes.only == ["labels-and-annotations"]
}

test_grants_changes_of_the_params if {
	admit.changes.only == ["images"] with data.params as {"changes": {"only": ["images"]}}
}
