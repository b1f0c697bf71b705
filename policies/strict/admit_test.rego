package krmsafe.admit_test

import data.krmsafe.admit
import data.krmsafe.lib.fixture

small := object.union(fixture.facts, {"module": {
	"imports": [{"module": "wasi_snapshot_preview1", "name": "fd_read", "kind": "func", "class": "stdio"}],
	"importClasses": ["stdio"],
}})

ids(change) := {r.id | some r in admit.reasons with input as object.union(small, change)}

test_small_signed_pinned_allowed if admit.allow with input as small

test_denied if {
	not admit.allow with input as fixture.unsigned_facts
	ids({"verified": {"signed": false}, "request": {"flags": {"allowUnsigned": true}}}) == {"signature.missing"}
	ids({"request": {"pinned": false}}) == {"source.not_pinned"}
	ids({"request": {"source": "oci-layout"}}) == {"source.not_registry"}
	ids({"request": {"flags": {"insecureIgnoreTLog": true}}}) == {"runtime.ignored_log"}
	ids({"request": {"flags": {"insecureIgnoreSCT": true}}}) == {"runtime.ignored_log"}
	ids({"runtime": {"jail": "partial"}}) == {"runtime.jail"}
	ids({"module": {"entryPoint": ""}}) == {"module.no_entry_point"}
	ids({"module": {"importClasses": ["fs", "stdio"]}}) == {"module.import_class"}
	ids({"module": {"features": ["simd"]}}) == {"module.feature"}
	ids({"module": {"sizeBytes": 9000000}}) == {"module.size"}
	ids({"module": {"memory": {"minPages": 2049}}}) == {"limits.memory"}
}

test_grants_little if {
	admit.jail == "full"
	admit.engine == "interpreter"
	admit.view.secrets == "hidden"
	not "any" in admit.changes.only
}
