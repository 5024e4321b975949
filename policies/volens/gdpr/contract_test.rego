package volens.gdpr_contract_test

import data.volens.fixtures_test as f
import data.volens.gdpr

_sold(changes) := f.after(
	f.germany("phone", "marketing"),
	[f.purchase(object.union({"ongoing_contract": true}, changes))],
)

test_a_contract_that_runs_is_on_file if {
	gdpr.running_contract with input as _sold({})
	every change in [{"ongoing_contract": false}, {"person": "other"}, {"seller": "other"}, {"future": true}] {
		not gdpr.running_contract with input as _sold(change)
	}
}
