# METADATA
# title: Baseline
# description: >-
#   Holds where the operator gives no output policy. Nothing is removed, no identity changes, protected kinds and
#   reserved annotations stay, no function is planted, new objects stay in the package, validators change nothing,
#   and every change fits an allowance that the admission policy grants.
package krmsafe.output

import data.krmsafe.lib.allowances
import data.krmsafe.lib.changes

# METADATA
# title: Allowed where nothing speaks against
default allow := false

allow if count(reasons) == 0

# METADATA
# title: What speaks against
reasons contains r if some r in changes.baseline

reasons contains r if some r in allowances.bounds
