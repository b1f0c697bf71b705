package krmsafe.admit_test

import data.krmsafe.admit

_small := {
	"request": {"source": "oci-layout", "reference": "oci-layout:layout:v1", "flags": {"allowUnsigned": false}},
	"verified": {"signed": true},
	"module": {
		"imports": [{"module": "wasi_snapshot_preview1", "name": "fd_read", "kind": "func", "class": "stdio"}],
		"importClasses": ["process", "stdio"],
		"entryPoint": "_start",
		"startSection": false,
		"memory": {"declared": true, "minPages": 1},
		"tables": [],
	},
}

_ids(document) := {r.id | some r in admit.reasons with input as document}

test_streams_are_allowed if admit.allow with input as _small

test_files_are_refused if {
	document := object.union(_small, {"module": {"importClasses": ["fs", "stdio"]}})
	_ids(document) == {"acme.no_filesystem"}
}

test_unsigned_is_refused if {
	document := object.union(_small, {"verified": {"signed": false}})
	_ids(document) == {"signature.missing"}
}
