package volens.gdpr_territory_test

import data.volens.fixtures_test as f

test_a_foreign_sender_is_bound if {
	"EU-TER-01" in f.named(f.placed(f.germany("email", "marketing"), {"sender": "US"}))
	f.denied_by(f.from_europe("email", "marketing"), "EU-EPD-01")
}

_travelling := f.placed(f.california("email", "marketing"), {"location": "DE"})

test_a_traveller_is_protected_unless_the_service_is_not_for_the_union if {
	f.denied_by(_travelling, "DE-UWG-01")
	facts := f.given(f.placed(_travelling, {"sender": "US"}), {"targets_eu": false})
	f.basis(facts) == "none"
	"EU-TER-01" in f.named(facts)
	f.denied_by(f.given(f.placed(_travelling, {"sender": "AT"}), {"targets_eu": false}), "DE-UWG-01")
}
