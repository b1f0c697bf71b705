package krmsafe.admit_test

import data.krmsafe.admit
import data.krmsafe.lib.fixture

ids(change) := {r.id | some r in admit.reasons with input as object.union(fixture.facts, change)}

warned(change) := {w.id | some w in admit.warnings with input as object.union(fixture.facts, change)}

test_signed_and_pinned_allowed if {
	admit.allow with input as fixture.facts
	warned({}) == set()
}

test_denied if {
	not admit.allow with input as fixture.unsigned_facts
	ids({"verified": {"signed": false}, "request": {"flags": {"allowUnsigned": true}}}) == {"signature.missing"}
	ids({"request": {"flags": {"requireJail": "none"}}}) == {"runtime.require_jail"}
	ids({"request": {"flags": {"insecureIgnoreTLog": true}}}) == {"runtime.ignored_log"}
	ids({"request": {"flags": {"insecureIgnoreSCT": true}}}) == {"runtime.ignored_log"}
	ids({"runtime": {"jail": "partial"}}) == {"runtime.jail"}
	ids({"module": {"entryPoint": ""}}) == {"module.no_entry_point"}
	ids({"module": {"memory": {"minPages": 8193}}}) == {"limits.memory"}
}

test_exception_allowed_with_warning if {
	ids({"request": {"pinned": false}}) == set()
	warned({"request": {"pinned": false}}) == {"exception.used"}
}

test_exception_over_denied_with_warning if {
	ids({"request": {"pinned": false, "date": "2027-01-01"}}) == {"source.not_pinned"}
	warned({"request": {"pinned": false, "date": "2027-01-01"}}) == {"exception.expired"}
}

test_exception_of_another_module_denied if {
	ids({"request": {"pinned": false, "digest": "sha256:00"}, "module": {"digest": "sha256:01"}}) == {"source.not_pinned"}
}

test_without_exceptions_denied if {
	document := object.union(fixture.facts, {"request": {"pinned": false}})
	{r.id | some r in admit.reasons with input as document with data.params as {}} == {"source.not_pinned"}
}

test_grants_little if {
	admit.jail == "full"
	admit.grants == {"clock": false, "random": false}
	admit.view.secrets == "placeholders"
	admit.changes.only == ["any"]
}
