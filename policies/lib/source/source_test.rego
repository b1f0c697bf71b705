package krmsafe.lib.source_test

import data.krmsafe.lib.fixture
import data.krmsafe.lib.source

with_request(fields) := object.union(fixture.facts, {"request": fields})

ids(reasons) := {r.id | some r in reasons}

test_pinned_allowed if count(source.pinned) == 0 with input as fixture.facts

test_pinned_denied if ids(source.pinned) == {"source.not_pinned"} with input as with_request({"pinned": false})

test_outside_allowed if {
	every prefix in ["ghcr.io/acme", "ghcr.io/acme/", "ghcr.io/acme/set-labels", "ghcr.io"] {
		count(source.outside({prefix})) == 0 with input as fixture.facts
	}
}

test_outside_denied if {
	every prefix in ["ghcr.io/ac", "ghcr.io/acme/set-labels/more", "docker.io/acme", "ghcr.i"] {
		ids(source.outside({prefix})) == {"source.repository"} with input as fixture.facts
	}
	ids(source.outside(set())) == {"source.repository"} with input as fixture.facts
	ids(source.outside({"ghcr.io/acme"})) == {"source.repository"} with input as with_request({"source": "oci-layout"})
}

test_registry_only_allowed if count(source.registry_only) == 0 with input as fixture.facts

test_registry_only_denied if ids(source.registry_only) == {"source.not_registry"} with input as with_request({"source": "file"})

test_tag_in_function_config_allowed if {
	every fields in [{"namedBy": "function-config"}, {"pinned": false}, {"namedBy": "function-config", "pinned": false, "source": "oci-layout"}] {
		count(source.tag_in_function_config) == 0 with input as with_request(fields)
	}
}

test_tag_in_function_config_denied if {
	ids(source.tag_in_function_config) == {"source.tag_in_function_config"} with input as with_request({"namedBy": "function-config", "pinned": false})
}
