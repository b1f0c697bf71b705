# METADATA
# title: Exceptions
# description: >-
#   Dated exceptions from reasons. An exception names the id of a reason, the digest of the manifest or the module it
#   holds for, its last day, who answers for it and why: {"id", "digest", "until": "2026-12-31", "owner", "why"}.
#   One that lacks any of them, or whose day is over, excuses nothing; nor does any where the day is not known.
package krmsafe.lib.exceptions

import data.krmsafe.lib.reason

# METADATA
# title: The reasons that no exception excuses
remaining(reasons, exceptions) := {r |
	some r in reasons
	not _excused(r, exceptions)
}

# METADATA
# title: Exceptions that were used, and those that are over
# description: Warnings, so that an exception never works unseen.
# custom:
#   id: exception.used
#   remedy: mend the cause before the exception ends
used(reasons, exceptions) := {w |
	some r in reasons
	some e in exceptions
	_excuses(e, r)
	w := reason.new(rego.metadata.rule(), sprintf("%s is excused until %s by %s: %s (%s)", [r.id, e.until, e.owner, e.why, r.message]))
}

# METADATA
# title: Exceptions that are over
# custom:
#   id: exception.expired
#   remedy: remove the exception, or have it renewed
expired(exceptions) := {w |
	some e in exceptions
	e.digest in _digests
	input.request.date > e.until
	w := reason.new(rego.metadata.rule(), sprintf("the exception from %s ended on %s", [e.id, e.until]))
}

_excused(r, exceptions) if {
	some e in exceptions
	_excuses(e, r)
}

_excuses(e, r) if {
	e.id == r.id
	e.digest in _digests
	is_string(e.owner)
	e.owner != ""
	is_string(e.why)
	e.why != ""
	_day(e.until)
	_day(input.request.date)
	input.request.date <= e.until
}

_digests := {input.request.digest, input.module.digest} - {""}

_day(value) if {
	is_string(value)
	regex.match(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`, value)
}
