package krmsafe.admit_test

import data.krmsafe.admit

_signed := {
	"request": {"source": "registry", "reference": "ghcr.io/acme/fn:v1", "registry": "ghcr.io", "flags": {"allowUnsigned": false}},
	"verified": {"signed": true},
	"module": {
		"imports": [{"module": "wasi_snapshot_preview1", "name": "fd_read", "kind": "func", "class": "stdio"}],
		"importClasses": ["stdio"],
		"entryPoint": "_start",
		"startSection": false,
		"memory": {"declared": true, "minPages": 115},
		"tables": [{"minElements": 11811}],
	},
}

_ids(document) := {r.id | some r in admit.reasons with input as document}

_with(difference) := object.union(_signed, difference)

test_signed_is_allowed if admit.allow with input as _signed

test_layout_is_allowed if admit.allow with input as _with({"request": {"source": "oci-layout"}})

test_unsigned_is_refused if _ids(_with({"verified": {"signed": false}})) == {"signature.missing"}

test_unsigned_is_refused_despite_the_flag if {
	document := _with({"verified": {"signed": false}, "request": {"flags": {"allowUnsigned": true}}})
	_ids(document) == {"signature.missing"}
}

test_other_registry_is_refused if _ids(_with({"request": {"registry": "quay.io"}})) == {"acme.registry"}

test_file_is_refused if _ids(_with({"request": {"source": "file"}})) == {"acme.registry"}

test_sockets_are_refused if _ids(_with({"module": {"importClasses": ["net", "stdio"]}})) == {"acme.import_class"}

test_too_much_memory_is_refused if _ids(_with({"module": {"memory": {"minPages": 4097}}})) == {"limits.memory"}
