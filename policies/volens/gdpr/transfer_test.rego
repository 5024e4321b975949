package volens.gdpr_transfer_test

import data.volens.fixtures_test as f

_route(context) := f.given(f.after(f.germany("email", "marketing"), [f.opt_in({})]), context)

test_data_stay_or_go_where_they_are_safe if {
	every country in ["AT", "NO", "CH", "GB"] {
		f.basis(_route({"processor_country": country})) == "consent"
	}
	f.basis(_route({"processor_country": "US", "transfer_mechanism": "dpf"})) == "consent"
}

test_safeguards_are_an_obligation if {
	facts := _route({"processor_country": "other", "transfer_mechanism": "scc+tia"})
	f.basis(facts) == "consent"
	"transfer_safeguard" in f.obliged(facts)
	not "transfer_safeguard" in f.obliged(_route({"processor_country": "CH", "transfer_mechanism": "scc+tia"}))
}

test_other_routes_are_denied if {
	every mechanism in ["art49_consent", "dpf", "other"] {
		f.denied_by(_route({"processor_country": "other", "transfer_mechanism": mechanism}), "EU-TRF-01")
	}
	f.denied_by(_route({"processor_country": "US"}), "EU-TRF-01")
	f.denied_by(f.given(f.germany("email", "service"), {"processor_country": "US"}), "EU-TRF-01")
	f.basis(f.given(f.germany("email", "legal_notice"), {"processor_country": "US"})) == "legal_obligation"
}
