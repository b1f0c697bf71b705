package krmsafe.output_test

import data.krmsafe.lib.fixture
import data.krmsafe.output

test_label_allowed if output.allow with input as fixture.changes

test_removal_denied if {
	document := fixture.with_changes([fixture.change("remove", fixture.deployment, [], {}, null)])
	not output.allow with input as document
	{r.id | some r in output.reasons with input as document} == {"output.removed"}
}

test_allowance_denied if {
	document := object.union(fixture.changes, {"granted": {"only": ["images"]}})
	not output.allow with input as document
	{r.id | some r in output.reasons with input as document} == {"output.outside_allowance"}
}
