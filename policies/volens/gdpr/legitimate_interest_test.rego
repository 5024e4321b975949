package volens.gdpr_legitimate_interest_test

import data.volens.fixtures_test as f

_balanced := {"lia_on_file": true}

test_post_and_the_own_surfaces_may_rest_on_it if {
	every channel in ["post", "in_app", "web"] {
		facts := f.given(f.germany(channel, "marketing"), _balanced)
		f.basis(facts) == "legitimate_interest"
		"inform_right_to_object" in f.obliged(facts)
		f.denied_by(f.germany(channel, "marketing"), "EU-LI-01")
	}
}

test_it_never_reaches_minors_special_data_or_audiences if {
	facts := f.given(f.germany("in_app", "marketing"), _balanced)
	f.denied_by(f.of(facts, {"age": 17}), "EU-LI-01")
	f.denied_by(f.given(facts, {"special_category": "other"}), "EU-LI-01")
	f.denied_by(f.given(facts, {"custom_audience_upload": true}), "EU-LI-01")
	f.denied_by(f.given(facts, {"first_party_only": false}), "EU-LI-01")
	f.denied_by(f.given(facts, {"recipient_given": true}), "EU-LI-01")
	not f.verdict(f.given(f.germany("post", "partner_marketing"), _balanced)).allow
}

test_it_cannot_replace_consent_to_mail if {
	f.denied_by(f.given(f.germany("email", "marketing"), _balanced), "EU-LI-02")
	f.denied_by(f.given(f.germany("sms", "marketing"), {"basis_claimed": "recognised_legitimate_interest"}), "EU-LI-02")
}

test_where_somebody_is_takes_consent_and_no_explicit_one if {
	every data_used in ["precise_geolocation", "under16", "health"] {
		weighed := {"lia_on_file": true, "sensitive": data_used}
		every channel in ["post", "web", "in_app"] {
			every place in ["AT", "GB"] {
				asked := f.placed(f.germany(channel, "marketing"), {"residence": place})
				f.denied_by(f.given(asked, weighed), "EU-LI-01")
			}
		}
		f.denied_by(f.given(f.germany("web", "personalization"), weighed), "EU-PRO-01")
		f.denied_by(f.given(f.placed(f.germany("phone", "marketing"), {"residence": "BE"}), weighed), "EU-EPD-04")
		sold := f.given(f.after(f.germany("email", "marketing"), [f.purchase({})]), f.similar)
		f.verdict(f.given(sold, weighed)).allow == false
	}
	letter := f.given(f.germany("post", "marketing"), {"sensitive": "precise_geolocation"})
	f.basis(f.after(letter, [f.opt_in({"channel": "post", "method": "act"})])) == "consent"
}
