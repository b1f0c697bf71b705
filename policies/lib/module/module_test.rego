package krmsafe.lib.module_test

import data.krmsafe.lib.fixture
import data.krmsafe.lib.module

with_module(fields) := object.union(fixture.facts, {"module": fields})

ids(reasons) := {r.id | some r in reasons}

imports(list) := with_module({"imports": list})

test_baseline_allowed if count(module.baseline) == 0 with input as fixture.facts

test_not_wasi_denied if {
	document := imports([{"module": "env", "name": "exec", "kind": "func", "class": "other"}])
	ids(module.baseline) == {"module.import"} with input as document
}

test_wasi_of_another_version_denied if {
	document := imports([{"module": "wasi_unstable", "name": "fd_write", "kind": "func", "class": "stdio"}])
	ids(module.baseline) == {"module.import"} with input as document
}

test_imported_resources_denied if {
	every kind in ["memory", "table", "global"] {
		document := imports([{"module": "wasi_snapshot_preview1", "name": "x", "kind": kind, "class": "other"}])
		ids(module.baseline) == {"module.import_kind"} with input as document
	}
}

test_no_entry_point_denied if ids(module.baseline) == {"module.no_entry_point"} with input as with_module({"entryPoint": ""})

test_start_section_denied if ids(module.baseline) == {"module.start_section"} with input as with_module({"startSection": true})

test_no_memory_denied if ids(module.baseline) == {"module.no_memory"} with input as with_module({"memory": {"declared": false}})

test_no_table_allowed if count(module.baseline) == 0 with input as with_module({"tables": []})

test_two_tables_denied if {
	table := fixture.facts.module.tables[0]
	ids(module.baseline) == {"module.tables"} with input as with_module({"tables": [table, table]})
}

test_import_classes_allowed if {
	count(module.import_classes_outside({"stdio", "fs", "random"})) == 0 with input as fixture.facts
}

test_import_classes_denied if ids(module.import_classes_outside({"stdio"})) == {"module.import_class"} with input as fixture.facts

test_features_allowed if {
	count(module.features_outside({"bulk-memory", "sign-extension"})) == 0 with input as fixture.facts
}

test_features_denied if ids(module.features_outside(set())) == {"module.feature"} with input as fixture.facts

test_larger_than_allowed if count(module.larger_than(4000000)) == 0 with input as fixture.facts

test_larger_than_denied if ids(module.larger_than(3999999)) == {"module.size"} with input as fixture.facts

test_memory_maximum_allowed if {
	count(module.no_memory_maximum) == 0 with input as with_module({"memory": {"hasMax": true}})
}

test_memory_maximum_denied if ids(module.no_memory_maximum) == {"module.memory_maximum"} with input as fixture.facts
