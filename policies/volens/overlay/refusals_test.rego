package volens.overlay_test

import data.volens.overlay

_rules(asked) := {refusal.rule | some refusal in told} if {
	told := overlay.refusals with input as {"overlay": asked}
}

test_what_the_law_allows_to_narrow_is_taken if {
	_rules({
		"stale_months": 12,
		"double_opt_in": true,
		"attempts": {"h24": 1, "d30": 2},
		"early": ["US-TCPA-03"],
		"hours": {"channels": ["phone"], "days": {"1": [[540, 1080]]}, "on_holidays": false},
	}) == set()
}

test_a_loosening_is_refused_with_the_rule_that_forbids_it if {
	_rules({"stale_months": 36}) == {"ENG-STALE-01"}
	_rules({"double_opt_in": false}) == {"DE-DOI-01"}
	_rules({"attempts": {"h24": 4, "d30": 5}}) == {"US-STQ-02", "FR-TEL-02"}
	_rules({"early": ["GB-PEC-03"]}) == {"GB-PEC-03"}
	_rules({"hours": {"channels": ["sms"], "days": {"6": [[420, 1000]]}, "on_holidays": true}}) == {"ENG-QH-01"}
}
