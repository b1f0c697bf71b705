package krmsafe.lib.runtime_test

import data.krmsafe.lib.fixture
import data.krmsafe.lib.runtime

test_full_jail_allowed if count(runtime.full_jail) == 0 with input as fixture.facts

test_full_jail_denied if {
	every jail in ["none", "partial", ""] {
		document := object.union(fixture.facts, {"runtime": {"jail": jail}})
		{r.id | some r in runtime.full_jail with input as document} == {"runtime.jail"}
	}
}

test_no_lesser_jail_allowed if count(runtime.no_lesser_jail) == 0 with input as fixture.facts

test_no_lesser_jail_denied if {
	document := object.union(fixture.facts, {"request": {"flags": {"requireJail": "none"}}})
	{r.id | some r in runtime.no_lesser_jail with input as document} == {"runtime.require_jail"}
}

test_no_ignored_log_allowed if count(runtime.no_ignored_log) == 0 with input as fixture.facts

test_no_ignored_log_denied if {
	every flag in ["insecureIgnoreTLog", "insecureIgnoreSCT"] {
		document := object.union(fixture.facts, {"request": {"flags": {flag: true}}})
		{r.id | some r in runtime.no_ignored_log with input as document} == {"runtime.ignored_log"}
	}
}
