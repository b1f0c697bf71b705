package krmsafe.lib.reason_test

import data.krmsafe.lib.reason

# METADATA
# custom:
#   id: some.id
#   remedy: do this
_named := reason.new(rego.metadata.rule(), "it is so")

_unnamed := reason.new(rego.metadata.rule(), "it is so")

test_named if _named == {"id": "some.id", "message": "it is so", "remedy": "do this"}

test_unnamed_still_refuses if _unnamed == {"id": "policy.unnamed_rule", "message": "it is so", "remedy": ""}
