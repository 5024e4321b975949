package volens.uk_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "GB"})

_mail := _asked("email", "marketing")

_call := _asked("phone", "marketing")

_weighed(facts) := f.given(facts, {"lia_on_file": true})

_agreed(channel, purpose) := f.opt_in({"channel": channel, "purpose": purpose, "method": "act"})

_company := {"b2b": true, "subscriber_type": "corporate"}

_stored := ["email", "sms", "messaging_app", "social_dm"]

test_mail_to_people_needs_consent_or_the_soft_opt_in if {
	every channel in _stored {
		facts := _weighed(_asked(channel, "marketing"))
		f.denied_by(facts, "GB-PEC-01")
		f.denied_by(f.of(facts, {"b2b": true}), "GB-PEC-01")
		f.denied_by(f.of(facts, {"b2b": true, "subscriber_type": "individual"}), "GB-PEC-01")
		agreed := f.after(facts, [_agreed(channel, "marketing")])
		f.basis(agreed) == "consent"
		"GB-PEC-01" in f.named(agreed)
	}
}

test_no_rule_of_the_union_or_of_its_states_is_asked if {
	f.named(f.after(_mail, [_agreed("email", "marketing")])) == {"ENG-AUD-01", "GB-PEC-01"}
}

test_companies_may_be_written_to_until_they_object if {
	every channel in _stored {
		facts := f.of(_asked(channel, "marketing"), _company)
		f.denied_by(facts, "GB-PEC-04")
		f.basis(_weighed(facts)) == "legitimate_interest"
		"inform_right_to_object" in f.obliged(_weighed(facts))
		f.denied_by(f.after(_weighed(facts), [f.opt_out({"action": "object", "channel": "any"})]), "EU-OBJ-01")
	}
	not f.basis(_weighed(f.of(_asked("email", "partner_marketing"), _company)))
	not f.basis(_weighed(f.of(_asked("push", "marketing"), _company)))
	not f.basis(f.given(_weighed(f.of(_mail, _company)), {"recipient_given": true}))
}

test_politics_is_marketing_like_any_other if {
	company := f.of(_asked("email", "political_ads"), _company)
	every facts in [company, _asked("post", "political_ads"), _asked("phone", "political_ads")] {
		f.basis(_weighed(facts)) == "legitimate_interest"
		not "EU-POL-01" in f.named(_weighed(facts))
	}
	not f.basis(f.given(_weighed(company), {"recipient_given": true}))
	not f.basis(_weighed(_asked("ads", "political_ads")))
}

test_the_sender_shows_itself_and_the_way_out if {
	mail := f.after(_mail, [_agreed("email", "marketing")])
	f.denied_by(f.given(mail, {"optout_in_message": false}), "GB-PEC-07")
	f.denied_by(f.given(mail, {"sender_identified": false}), "GB-PEC-07")
	f.denied_by(f.given(_weighed(_call), {"sender_identified": false}), "GB-PEC-07")
	f.denied_by(f.given(_asked("email", "service"), {"sender_identified": false}), "GB-PEC-07")
	f.basis(f.given(_weighed(_call), {"optout_in_message": false})) == "legitimate_interest"
	f.basis(f.given(_weighed(_asked("post", "marketing")), {"sender_identified": false})) == "legitimate_interest"
}

test_push_needs_its_own_consent if {
	f.denied_by(_weighed(_asked("push", "marketing")), "EU-EPD-06")
	f.basis(f.after(_asked("push", "marketing"), [_agreed("push", "marketing")])) == "consent"
}

test_own_customers_and_those_who_negotiated if {
	every channel in _stored {
		every act in [
			f.purchase({}),
			f.purchase({"action": "inquiry"}),
			f.purchase({"action": "free_account", "indirect_remuneration": true}),
		] {
			facts := f.after(f.given(_asked(channel, "marketing"), f.similar), [act])
			f.basis(facts) == "soft_opt_in"
			"GB-PEC-02" in f.named(facts)
		}
	}
}

test_each_condition_of_the_soft_opt_in_counts if {
	every change in [
		{"action": "inquiry", "purpose": "support"},
		{"action": "free_account"},
		{"optout_offered_at_collection": false},
		{"months_past": 24},
	] {
		not f.basis(f.after(f.given(_mail, f.similar), [f.purchase(change)]))
	}
	every context in [{"similar_product": false}, {"optout_in_message": false}, {"special_category": "health"}] {
		facts := f.given(f.after(f.given(_mail, f.similar), [f.purchase({})]), context)
		f.denied_by(facts, "GB-PEC-01")
		"GB-PEC-02" in f.named(facts)
	}
	not f.basis(f.after(f.given(_asked("phone_auto", "marketing"), f.similar), [f.purchase({})]))
	"GB-PEC-02" in f.named(f.of(_mail, {"is_customer": true}))
}

_gift(changes) := f.purchase(object.union(
	{"action": "support_given", "purpose": "donation", "law_day": "2026-02-05"},
	changes,
))

_charity := {"sender_is_charity": true, "sole_charitable_purpose": true}

_appeal := f.given(_asked("email", "fundraising"), _charity)

test_charities_may_write_to_those_who_support_them if {
	every change in [{}, {"action": "inquiry"}] {
		facts := f.after(_appeal, [_gift(change)])
		f.basis(facts) == "soft_opt_in"
		"GB-PEC-03" in f.named(facts)
		"include_optout_each_message" in f.obliged(facts)
	}
	f.basis(f.after(f.given(_mail, _charity), [_gift({})])) == "soft_opt_in"
}

test_each_condition_of_the_charities_counts if {
	every change in [
		{"law_day": "2026-01-01"},
		{"method": "list"},
		{"optout_offered_at_collection": false},
		{"action": "inquiry", "purpose": "support"},
		{"months_past": 24},
	] {
		facts := f.after(_appeal, [_gift(change)])
		f.denied_by(facts, "GB-PEC-01")
		"GB-PEC-03" in f.named(facts)
	}
	not f.basis(f.after(_appeal, [json.remove(_gift({}), ["/law_day"])]))
	every context in [{"sender_is_charity": false}, {"sole_charitable_purpose": false}, {"optout_in_message": false}] {
		not f.basis(f.given(f.after(_appeal, [_gift({})]), context))
	}
	not f.basis(f.of(f.after(_appeal, [_gift({})]), {"age": 17}))
	not f.basis(f.after(f.given(_asked("email", "partner_marketing"), _charity), [_gift({})]))
}

test_a_gift_a_charity_or_an_appeal_has_tried_the_rule if {
	"GB-PEC-03" in f.named(f.after(_mail, [_gift({})]))
	"GB-PEC-03" in f.named(f.given(_mail, {"sender_is_charity": true}))
	"GB-PEC-03" in f.named(_asked("email", "fundraising"))
	not "GB-PEC-03" in f.named(f.on(_asked("email", "fundraising"), "2026-01-01"))
}

test_live_calls_are_on_opt_out if {
	f.denied_by(_call, "GB-PEC-05")
	f.basis(_weighed(_call)) == "legitimate_interest"
	{"caller_id", "dnc_scrub", "inform_right_to_object"} - f.obliged(_weighed(_call)) == set()
	f.denied_by(f.after(_weighed(_call), [f.opt_out({"action": "refused_in_call", "channel": "phone"})]), "GB-PEC-05")
}

test_whoever_is_listed_has_agreed_to_this_caller if {
	record := {"action": "dnc_listed", "channel": "phone", "purpose": "marketing", "rank": 9}
	every facts in [
		f.signalled(_weighed(_call), {"tps_listed": true}),
		f.signalled(_weighed(_call), {"ctps_listed": true}),
		f.after(_weighed(_call), [record]),
	] {
		f.denied_by(facts, "GB-PEC-05")
		f.basis(f.after(facts, array.concat([_agreed("phone", "marketing")], facts.acts))) == "consent"
	}
}

test_pensions_and_claims_take_consent if {
	every topic in ["pensions", "claims_management", "other"] {
		facts := f.given(_weighed(_call), {"topic": topic})
		f.denied_by(facts, "GB-PEC-05")
		f.basis(f.after(facts, [_agreed("phone", "marketing")])) == "consent"
	}
	f.basis(f.given(_weighed(_call), {"topic": "energy_renovation"})) == "legitimate_interest"
}

test_automatic_calls_need_consent_to_automatic_calls if {
	f.denied_by(f.of(_weighed(_asked("phone_auto", "marketing")), _company), "GB-PEC-06")
	f.basis(f.after(_asked("phone_auto", "marketing"), [_agreed("phone_auto", "marketing")])) == "consent"
	spoken := f.given(_weighed(_call), {"ai_voice": true})
	f.denied_by(f.after(spoken, [_agreed("phone", "marketing")]), "GB-PEC-06")
}

test_letters_and_own_surfaces_rest_on_a_weighed_interest if {
	every channel in ["post", "in_app", "web"] {
		facts := _asked(channel, "marketing")
		f.denied_by(facts, "GB-LI-01")
		f.basis(_weighed(facts)) == "legitimate_interest"
		{"EU-LI-01", "GB-LI-01"} - f.named(_weighed(facts)) == set()
	}
}

test_an_interest_that_is_claimed_is_named if {
	every claimed in ["legitimate_interest", "recognised_legitimate_interest", "other"] {
		f.denied_by(f.given(_mail, {"basis_claimed": claimed}), "GB-LI-01")
	}
	not "GB-LI-01" in f.named(_mail)
}

test_genuine_research_is_no_marketing if {
	every channel in ["email", "phone", "phone_auto", "post"] {
		research := f.given(_asked(channel, "survey"), {"genuine_research": true, "content": "service"})
		f.denied_by(research, "GB-LI-01")
		f.basis(_weighed(research)) == "legitimate_interest"
		"no_promotional_content" in f.obliged(_weighed(research))
		listed := f.signalled(_weighed(research), {"tps_listed": true})
		f.basis(listed) == "legitimate_interest"
	}
	sold := {"genuine_research": true, "content": "service", "recipient_given": true}
	f.denied_by(f.given(_weighed(_asked("email", "survey")), sold), "GB-LI-01")
	f.denied_by(f.given(_weighed(_asked("email", "survey")), {"genuine_research": true}), "GB-PEC-01")
	f.denied_by(f.given(_weighed(_asked("email", "survey")), {"content": "service"}), "GB-PEC-01")
}

test_own_statistics_need_no_consent_any_more if {
	announced := {"first_party_only": true, "notice_given": true}
	facts := f.given(_asked("web", "analytics"), announced)
	f.basis(facts) == "none"
	f.basis(_weighed(facts)) == "legitimate_interest"
	"EU-CON-13" in f.named(facts)
	f.denied_by(f.on(facts, "2026-01-01"), "EU-CON-13")
	every context in [
		{"first_party_only": false},
		{"notice_given": false},
		{"special_category": "health"},
		{"custom_audience_upload": true},
	] {
		f.denied_by(f.given(facts, context), "EU-CON-13")
	}
	f.denied_by(f.given(_asked("email", "email_tracking"), announced), "EU-CON-13")
	f.denied_by(f.placed(facts, {"also": "FR"}), "EU-CON-13")
}

_decided := f.given(
	_asked("in_app", "adm"),
	{"safeguards": ["contest", "human_intervention", "information", "representations"]},
)

_explained := f.given(
	_asked("in_app", "adm"),
	{"safeguards": ["contest", "explanation", "human_intervention", "representations"]},
)

test_machines_decide_on_any_lawful_basis if {
	f.denied_by(_decided, "GB-ADM-01")
	f.basis(_weighed(_decided)) == "legitimate_interest"
	f.basis(f.given(_decided, {"necessary_for_contract": true})) == "contract"
	f.basis(f.after(_decided, [_agreed("in_app", "adm")])) == "consent"
	f.denied_by(f.given(_weighed(_decided), {"safeguards": ["contest"]}), "GB-ADM-01")
	f.denied_by(_weighed(_asked("in_app", "adm")), "GB-ADM-01")
	f.denied_by(f.given(_weighed(_decided), {"special_category": "health"}), "GB-ADM-01")
	every claimed in ["recognised_legitimate_interest", "other"] {
		f.denied_by(f.given(_weighed(_decided), {"basis_claimed": claimed}), "GB-ADM-01")
	}
	f.basis(f.given(_weighed(_decided), {"significant_effect": false})) == "legitimate_interest"
}

test_before_the_reform_they_decided_as_in_the_union if {
	old := f.on(_explained, "2026-01-01")
	f.denied_by(_weighed(old), "GB-ADM-01")
	f.basis(f.given(old, {"necessary_for_contract": true})) == "contract"
	f.denied_by(f.of(f.given(old, {"necessary_for_contract": true}), {"age": 17}), "GB-ADM-01")
	f.denied_by(f.after(old, [_agreed("in_app", "adm")]), "GB-ADM-01")
	f.basis(f.after(old, [object.union(_agreed("in_app", "adm"), {"explicit": true})])) == "consent"
	f.denied_by(f.on(f.given(_decided, {"necessary_for_contract": true}), "2026-01-01"), "GB-ADM-01")
	not "EU-ADM-01" in f.named(old)
}

test_below_thirteen_consent_needs_a_parent if {
	child := f.of(f.after(_mail, [object.union(_agreed("email", "marketing"), {"age": 12})]), {"age": 12})
	f.denied_by(child, "GB-AGE-01")
	f.denied_by(f.of(child, {"age": 18}), "GB-AGE-01")
	f.basis(f.of(f.after(_mail, [f.parental_consent({})]), {"age": 12})) == "consent"
	grown := f.of(f.after(_mail, [object.union(_agreed("email", "marketing"), {"age": 13})]), {"age": 13})
	f.basis(grown) == "consent"
	"GB-AGE-01" in f.named(grown)
	f.denied_by(f.placed(grown, {"also": "FR"}), "EU-CON-08")
}

test_the_union_and_the_kingdom_must_both_permit if {
	bought := f.placed(f.given(f.after(_mail, [f.purchase({})]), f.similar), {"also": "FR"})
	f.basis(bought) == "soft_opt_in"
	{"EU-EPD-02", "GB-PEC-02"} - f.named(bought) == set()
	asked := f.given(f.after(_mail, [f.purchase({"action": "inquiry"})]), f.similar)
	f.denied_by(f.placed(asked, {"also": "FR"}), "EU-EPD-01")
	f.denied_by(f.placed(_weighed(_asked("post", "political_ads")), {"also": "FR"}), "EU-POL-01")
	"EU-TER-01" in f.named(f.placed(_mail, {"sender": "US"}))
}

test_where_somebody_is_takes_consent_in_statistics_and_research_too if {
	counted := {"first_party_only": true, "notice_given": true, "lia_on_file": true}
	studied := {"genuine_research": true, "content": "service", "lia_on_file": true}
	some pair in [[counted, f.germany("web", "analytics")], [studied, f.germany("email", "survey")]]
	facts := f.given(f.placed(pair[1], {"residence": "GB"}), pair[0])
	f.basis(facts) == "legitimate_interest"
	f.verdict(f.given(facts, {"sensitive": "precise_geolocation"})).allow == false
}

test_a_request_to_confirm_has_a_way_out if {
	asked := f.placed(f.germany("email", "doi_confirmation"), {"residence": "GB"})
	facts := f.after(asked, [{"action": "opt_in_pending", "channel": "email", "rank": 5}])
	f.basis(facts) == "legitimate_interest"
	f.denied_by(f.given(facts, {"optout_in_message": false}), "GB-PEC-07")
}
