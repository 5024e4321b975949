package volens.gdpr_contract_test

import data.volens.fixtures_test as f
import data.volens.gdpr

_claimed := f.given(f.germany("phone", "marketing"), {"related_to_current_contract": true})

_sold(changes) := f.after(_claimed, [f.purchase(changes)])

test_a_claim_is_believed_unless_records_know_better if {
	gdpr.current_contract with input as _claimed
	gdpr.current_contract with input as _sold({"ongoing_contract": true})
	gdpr.current_contract with input as _sold({})
	not gdpr.current_contract with input as _sold({"ongoing_contract": false})
	not gdpr.current_contract with input as f.given(_claimed, {"related_to_current_contract": false})
	gdpr.current_contract with input as f.after(
		_claimed,
		[f.purchase({"ongoing_contract": false}), f.purchase({"ongoing_contract": true})],
	)
}

test_somebody_else_s_contract_is_none if {
	every change in [{"person": "other"}, {"seller": "other"}, {"future": true}] {
		not gdpr.running_contract with input as _sold(object.union(change, {"ongoing_contract": true}))
	}
}
