package volens.eprivacy_member_states_test

import data.volens.fixtures_test as f

_in(state, channel) := f.given(f.placed(f.germany(channel, "marketing"), {"residence": state}), {"lia_on_file": true})

test_some_states_let_people_be_called_on_an_interest if {
	every state in ["BE", "IT", "SE"] {
		facts := _in(state, "phone")
		f.basis(facts) == "legitimate_interest"
		{"dnc_scrub", "inform_right_to_object", "caller_id"} - f.obliged(facts) == set()
		"EU-EPD-04" in f.named(facts)
		f.basis(f.of(facts, {"b2b": true})) == "legitimate_interest"
		f.denied_by(f.given(facts, {"lia_on_file": false}), "EU-EPD-04")
		f.denied_by(f.given(facts, {"automated": true}), "EU-EPD-01")
		f.denied_by(f.of(facts, {"age": 17}), "EU-EPD-04")
		f.denied_by(f.given(facts, {"recipient_given": true}), "EU-EPD-04")
		f.basis(f.after(facts, [f.opt_in({"channel": "phone"})])) == "consent"
	}
}

test_every_other_state_asks_for_consent if {
	every state in ["AT", "DE", "DK", "FI", "IE", "LU", "NO", "PL", "PT"] {
		f.denied_by(_in(state, "phone"), "EU-EPD-04")
	}
}

test_some_states_let_businesses_be_written_to_about_their_work if {
	every state in ["FI", "IE", "SE"] {
		facts := f.given(f.of(_in(state, "email"), {"b2b": true}), {"relevant_to_role": true})
		f.basis(facts) == "legitimate_interest"
		"inform_right_to_object" in f.obliged(facts)
		f.denied_by(f.given(facts, {"relevant_to_role": false}), "EU-EPD-05")
		f.denied_by(f.of(facts, {"subscriber_type": "individual"}), "EU-EPD-05")
		f.denied_by(f.of(facts, {"b2b": false}), "EU-EPD-01")
	}
	every state in ["AT", "DE", "ES", "IT", "NL", "PL", "PT"] {
		facts := f.given(f.of(_in(state, "email"), {"b2b": true}), {"related_to_profession": true})
		f.denied_by(facts, "EU-EPD-05")
	}
}

test_in_belgium_only_companies_are if {
	facts := f.given(f.of(_in("BE", "email"), {"b2b": true}), {"related_to_profession": true})
	f.denied_by(facts, "EU-EPD-05")
	f.basis(f.of(facts, {"subscriber_type": "corporate"})) == "legitimate_interest"
}

test_the_soft_opt_in_carries_mail_everywhere_and_texts_in_some_states if {
	every state in ["AT", "BE", "ES", "IE", "LI", "NO", "SE"] {
		f.basis(f.given(f.after(_in(state, "email"), [f.purchase({})]), f.similar)) == "soft_opt_in"
	}
	every state in ["ES", "IE", "NO"] {
		f.basis(f.given(f.after(_in(state, "sms"), [f.purchase({})]), f.similar)) == "soft_opt_in"
	}
	every state in ["AT", "BE", "DE", "FR", "IT", "PL", "SE"] {
		f.denied_by(f.given(f.after(_in(state, "sms"), [f.purchase({})]), f.similar), "EU-EPD-01")
	}
}

test_a_stale_sale_carries_none if {
	facts := f.given(f.after(_in("SE", "email"), [f.purchase({"months_past": 24})]), f.similar)
	f.denied_by(facts, "ENG-STALE-01")
	f.basis(f.of(facts, {"interaction": {"months_past": 18}})) == "soft_opt_in"
}

test_every_state_involved_must_agree if {
	facts := f.given(f.after(_in("AT", "email"), [f.purchase({})]), f.similar)
	f.basis(f.placed(facts, {"location": "BE"})) == "soft_opt_in"
	f.denied_by(f.placed(facts, {"location": "PL"}), "PL-PKE-01")
}
