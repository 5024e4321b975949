package volens.gdpr_automated_test

import data.volens.fixtures_test as f

_all := ["human_intervention", "representations", "contest", "explanation"]

_needed := f.given(f.germany("in_app", "adm"), {"necessary_for_contract": true, "safeguards": _all})

_agreed(changes) := f.given(
	f.after(f.germany("in_app", "adm"), [f.opt_in(object.union({"channel": "in_app", "purpose": "adm"}, changes))]),
	{"safeguards": _all},
)

test_a_gateway_and_all_safeguards_permit if {
	f.basis(_needed) == "contract"
	{"adm_notice", "human_review_available"} - f.obliged(_needed) == set()
	f.basis(_agreed({"explicit": true})) == "consent"
}

test_without_a_gateway_or_a_safeguard_it_is_denied if {
	f.denied_by(_agreed({}), "EU-ADM-01")
	every safeguard in _all {
		f.denied_by(f.given(_needed, {"safeguards": [other | some other in _all; other != safeguard]}), "EU-ADM-01")
	}
	f.denied_by(f.given(f.germany("in_app", "adm"), {"necessary_for_contract": true}), "EU-ADM-01")
}

test_never_of_a_child_nor_by_special_data_without_consent if {
	f.denied_by(f.of(_needed, {"age": 17}), "EU-ADM-02")
	f.denied_by(f.given(_needed, {"special_category": "health"}), "EU-ADM-02")
	f.basis(f.given(_agreed({"explicit": true, "covers_category": true}), {"special_category": "health"})) == "consent"
}
