package volens.gdpr_political_test

import data.volens.fixtures_test as f

_ad(changes) := f.after(
	f.germany("email", "political_ads"),
	[f.opt_in(object.union({"purpose": "political_ads"}, changes))],
)

test_it_needs_explicit_consent if {
	f.denied_by(_ad({}), "EU-POL-01")
	f.basis(_ad({"explicit": true})) == "consent"
}

test_never_under_seventeen_nor_by_special_categories if {
	f.denied_by(f.of(_ad({"explicit": true, "age": 16}), {"age": 16}), "EU-POL-01")
	f.denied_by(f.given(_ad({"explicit": true, "covers_category": true}), {"special_category": "health"}), "EU-POL-01")
}

test_before_its_day_it_was_marketing if f.basis(f.on(_ad({}), "2025-10-01")) == "consent"
