package krmsafe.admit_test

import data.krmsafe.admit
import data.krmsafe.lib.fixture

ids(document) := {r.id | some r in admit.reasons with input as document}

test_signed_allowed if admit.allow with input as fixture.facts

test_unsigned_denied if {
	not admit.allow with input as fixture.unsigned_facts
	ids(fixture.unsigned_facts) == {"signature.missing"}
}

accepted := object.union(fixture.unsigned_facts, {"request": {"flags": {"allowUnsigned": true}}})

test_accepted_unsigned_allowed_with_warning if {
	admit.allow with input as accepted
	{w.id | some w in admit.warnings with input as accepted} == {"signature.accepted_unsigned"}
}

test_module_rules_denied if {
	ids(object.union(fixture.facts, {"module": {"entryPoint": ""}})) == {"module.no_entry_point"}
}

test_limits_denied if {
	ids(object.union(fixture.facts, {"module": {"memory": {"minPages": 8193}}})) == {"limits.memory"}
}

test_jail_follows_the_operator if {
	admit.jail == "full" with input as fixture.facts
	admit.jail == "none" with input as object.union(fixture.facts, {"request": {"flags": {"requireJail": "none"}}})
}

test_secrets_are_placeholders if admit.view.secrets == "placeholders"

test_changes_are_left_to_the_output_policy if admit.changes.only == ["any"]

test_tag_in_function_config_warns if {
	document := object.union(fixture.facts, {"request": {"namedBy": "function-config", "pinned": false}})
	admit.allow with input as document
	{w.id | some w in admit.warnings with input as document} == {"source.tag_in_function_config"}
}
