package krmsafe.lib.limits_test

import data.krmsafe.lib.fixture
import data.krmsafe.lib.limits

exceeded(memory, tables) := {r.id |
	some r in limits.exceeded({"memoryPages": memory, "tableElements": tables}) with input as fixture.facts
}

test_fits if exceeded(108, 2411) == set()

test_memory_denied if exceeded(107, 2411) == {"limits.memory"}

test_tables_denied if exceeded(108, 2410) == {"limits.tables"}

test_both_denied if exceeded(1, 1) == {"limits.memory", "limits.tables"}
