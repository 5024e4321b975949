package volens.gdpr_profiling_test

import data.volens.fixtures_test as f

_profile := f.given(f.germany("in_app", "profiling"), {"lia_on_file": true})

test_first_party_profiles_of_adults_may_rest_on_interest if f.basis(_profile) == "legitimate_interest"

test_others_need_consent if {
	f.denied_by(f.of(_profile, {"age": 17}), "EU-PRO-01")
	f.denied_by(f.given(_profile, {"first_party_only": false}), "EU-PRO-01")
	f.denied_by(f.given(f.germany("ads", "profiling"), {"lia_on_file": true}), "EU-PRO-03")
	f.denied_by(f.given(_profile, {"custom_audience_upload": true}), "EU-PRO-03")
}

test_a_decision_that_a_human_takes_is_profiling if {
	facts := f.given(f.germany("in_app", "adm"), {"lia_on_file": true, "solely_automated": false})
	f.basis(facts) == "legitimate_interest"
	"EU-PRO-01" in f.named(facts)
}

test_audiences_need_consent if {
	every purpose in ["targeted_ads", "sale_share"] {
		f.denied_by(f.given(f.germany("web", purpose), {"lia_on_file": true}), "EU-PRO-03")
		f.basis(f.after(f.germany("web", purpose), [f.opt_in({"channel": "web", "purpose": purpose})])) == "consent"
	}
	f.denied_by(f.germany("ads", "marketing"), "EU-PRO-03")
}

test_platforms_spare_minors_and_special_data if {
	ads := f.given(
		f.after(
			f.germany("ads", "targeted_ads"),
			[f.opt_in({"channel": "ads", "purpose": "targeted_ads", "explicit": true, "covers_category": true})],
		),
		{"online_platform": true},
	)
	f.basis(ads) == "consent"
	f.denied_by(f.of(ads, {"age": 17}), "EU-PRO-02")
	f.denied_by(f.given(ads, {"special_category": "health"}), "EU-PRO-02")
	mail := f.given(
		f.after(f.germany("email", "marketing"), [f.opt_in({"age": 17})]),
		{"online_platform": true, "profiled": true},
	)
	f.denied_by(f.of(mail, {"age": 17}), "EU-PRO-02")
	f.denied_by(f.of(f.given(f.germany("ads", "personalization"), {"online_platform": true}), {"age": 17}), "EU-PRO-02")
}

test_sensitive_use_and_paid_programmes_need_consent if {
	every purpose in ["sensitive_use", "fip_enrolment"] {
		f.denied_by(f.germany("in_app", purpose), "EU-CON-03")
		f.basis(f.after(f.germany("in_app", purpose), [f.opt_in({"channel": "in_app", "purpose": purpose})])) == "consent"
	}
}

test_an_audience_that_is_uploaded_is_a_platform_s if {
	ads := f.given(
		f.after(
			f.germany("ads", "targeted_ads"),
			[f.opt_in({"channel": "ads", "purpose": "targeted_ads", "explicit": true, "covers_category": true})],
		),
		{"custom_audience_upload": true},
	)
	f.basis(ads) == "consent"
	f.denied_by(f.of(ads, {"age": 17}), "EU-PRO-02")
	f.denied_by(f.given(ads, {"special_category": "health"}), "EU-PRO-02")
}

test_interest_carries_no_significant_effect if {
	facts := f.given(f.germany("in_app", "profiling"), {"lia_on_file": true})
	f.basis(facts) == "legitimate_interest"
	f.denied_by(f.given(facts, {"significant_effect": true}), "EU-PRO-01")
}
