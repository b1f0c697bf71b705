package krmsafe.admit_test

import data.krmsafe.admit
import data.krmsafe.lib.fixture

ids(change) := {r.id | some r in admit.reasons with input as object.union(fixture.facts, change)}

test_signed_allowed if admit.allow with input as fixture.facts

test_denied if {
	not admit.allow with input as fixture.unsigned_facts
	ids({"verified": {"signed": false}, "request": {"flags": {"allowUnsigned": true}}}) == {"signature.missing"}
	ids({"module": {"startSection": true}}) == {"module.start_section"}
	ids({"module": {"memory": {"minPages": 8193}}}) == {"limits.memory"}
}

test_grants_additions_only if {
	admit.changes.only == ["generator"]
	{"group": "", "kind": "ConfigMap"} in admit.changes.add
	not {"group": "", "kind": "Secret"} in admit.changes.add
	admit.view.secrets == "hidden"
}

test_grants_kinds_of_the_params if {
	admit.changes.add == [{"group": "a", "kind": "B"}] with data.params as {"kinds": [{"group": "a", "kind": "B"}]}
}

test_jail_follows_the_operator if admit.jail == "full" with input as fixture.facts
