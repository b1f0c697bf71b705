package krmsafe.lib.resources_test

import data.krmsafe.lib.fixture
import data.krmsafe.lib.resources

test_no_secrets_allowed if count(resources.no_secrets) == 0 with input as fixture.facts

test_no_secrets_denied if {
	document := object.union(fixture.facts, {"resources": {"containsSecrets": true}})
	{r.id | some r in resources.no_secrets with input as document} == {"resources.secrets"}
}

test_namespaces_allowed if count(resources.outside_namespaces(["shop"])) == 0 with input as fixture.facts

test_namespaces_denied if {
	{r.id | some r in resources.outside_namespaces({"infra"}) with input as fixture.facts} == {"resources.namespace"}
}
