package krmsafe.lib.exceptions_test

import data.krmsafe.lib.exceptions
import data.krmsafe.lib.fixture

r := {"id": "source.not_pinned", "message": "m", "remedy": ""}

e := {"id": r.id, "digest": fixture.facts.request.digest, "until": "2026-11-22", "owner": "team", "why": "because"}

on(date) := object.union(fixture.facts, {"request": {"date": date}})

test_remaining_excused if {
	exceptions.remaining({r}, [e]) == set() with input as fixture.facts
	exceptions.remaining({r}, [object.union(e, {"digest": fixture.facts.module.digest})]) == set() with input as fixture.facts
}

test_remaining_not_excused if {
	every bad in [
		{"id": "source.repository"}, {"digest": "sha256:00"}, {"digest": ""}, {"until": "2026-11-21"}, {"until": "soon"}, {"until": 20271231},
		{"until": "9999-99-99"}, {"owner": ""}, {"owner": 1}, {"why": ""}, {"why": null},
	] {
		exceptions.remaining({r}, [object.union(e, bad)]) == {r} with input as fixture.facts
	}
	every key in ["id", "digest", "until", "owner", "why"] {
		exceptions.remaining({r}, [object.remove(e, [key])]) == {r} with input as fixture.facts
	}
	exceptions.remaining({r}, []) == {r} with input as fixture.facts
}

test_unknown_day_excuses_nothing if exceptions.remaining({r}, [e]) == {r} with input as on("")

test_day_after_excuses_nothing if exceptions.remaining({r}, [e]) == {r} with input as on("2026-11-23")

test_empty_digests_do_not_match if {
	document := object.union(fixture.facts, {"request": {"digest": ""}, "module": {"digest": ""}})
	exceptions.remaining({r}, [object.union(e, {"digest": ""})]) == {r} with input as document
}

test_used if {
	[w.id | some w in exceptions.used({r}, [e])] == ["exception.used"] with input as fixture.facts
	exceptions.used({r}, [e]) == set() with input as on("2026-11-23")
}

test_expired if {
	[w.id | some w in exceptions.expired([e])] == ["exception.expired"] with input as on("2026-11-23")
	exceptions.expired([e]) == set() with input as fixture.facts
	exceptions.expired([object.union(e, {"digest": "sha256:00"})]) == set() with input as on("2026-11-23")
}
