package volens.france_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "FR"})

_mail := _asked("email", "marketing")

_call := _asked("phone", "marketing")

_last_year := f.given(f.on(_call, "2026-07-01"), {"lia_on_file": true})

_agreed := f.opt_in({"channel": "phone", "method": "act"})

_contract := f.purchase({"ongoing_contract": true})

_about_it := {"related_to_current_contract": true}

test_mail_texts_and_automatic_calls_need_consent if {
	every channel in ["email", "sms", "phone_auto"] {
		f.denied_by(_asked(channel, "marketing"), "FR-CPCE-01")
	}
	f.denied_by(f.given(_call, {"ai_voice": true}), "FR-CPCE-01")
	facts := f.after(_mail, [f.opt_in({})])
	f.basis(facts) == "consent"
	"FR-CPCE-01" in f.named(facts)
}

test_businesses_are_told_and_written_to_about_their_work if {
	told := {"related_to_profession": true, "informed_at_collection": true, "lia_on_file": true}
	every channel in ["email", "sms", "phone_auto"] {
		facts := f.given(f.of(_asked(channel, "marketing"), {"b2b": true}), told)
		f.basis(facts) == "legitimate_interest"
		"inform_right_to_object" in f.obliged(facts)
		f.denied_by(f.of(facts, {"subscriber_type": "individual"}), "FR-CPCE-01")
		every fact, _ in told {
			f.denied_by(f.given(facts, {fact: false}), "FR-CPCE-01")
		}
	}
	f.basis(f.given(f.of(_mail, {"b2b": true}), {
		"relevant_to_role": true,
		"informed_at_collection": true,
		"lia_on_file": true,
	})) == "legitimate_interest"
}

test_who_opens_a_mail_is_watched_on_consent if {
	facts := _asked("email", "email_tracking")
	f.denied_by(facts, "FR-PIX-01")
	"no_tracking_pixel" in f.obliged(facts)
	f.basis(f.after(facts, [f.opt_in({"purpose": "email_tracking"})])) == "consent"
}

test_consumers_are_called_on_consent_since_august if {
	f.denied_by(f.given(_call, {"lia_on_file": true}), "FR-TEL-01")
	facts := f.after(_call, [_agreed])
	f.basis(facts) == "consent"
	{"FR-TEL-01", "FR-TEL-02"} - f.named(facts) == set()
	f.basis(_last_year) == "legitimate_interest"
	not "FR-TEL-01" in f.named(_last_year)
	f.denied_by(f.given(_last_year, {"lia_on_file": false}), "EU-EPD-04")
}

test_a_contract_that_runs_carries_calls_about_it if {
	facts := f.given(f.after(_call, [_contract]), _about_it)
	f.basis(facts) == "contract"
	"inform_right_to_object" in f.obliged(facts)
	f.basis(f.given(_call, _about_it)) == "contract"
	f.denied_by(f.after(_call, [_contract]), "FR-TEL-01")
	f.denied_by(f.given(f.after(_call, [_contract]), {"related_to_current_contract": false}), "FR-TEL-01")
	f.denied_by(f.given(facts, {"special_category": "health"}), "FR-TEL-01")
}

test_work_on_the_home_is_not_sold_by_telephone if {
	every topic in ["energy_renovation", "other"] {
		facts := f.given(f.after(_call, [_agreed]), {"topic": topic})
		f.denied_by(facts, "FR-TEL-01")
		f.denied_by(f.on(facts, "2026-07-01"), "FR-TEL-01")
		f.basis(f.given(facts, _about_it)) == "consent"
		f.basis(f.given(f.of(facts, {"b2b": true}), {"lia_on_file": true})) == "consent"
	}
	f.basis(f.given(f.after(_call, [_agreed]), {"topic": "electricity_gas"})) == "consent"
}

test_businesses_are_called_on_an_interest if {
	facts := f.given(f.of(_call, {"b2b": true}), {"lia_on_file": true})
	f.basis(facts) == "legitimate_interest"
	"dnc_scrub" in f.obliged(facts)
	not "FR-TEL-02" in f.named(f.at(facts, 6, 780))
	f.basis(f.at(facts, 6, 780)) == "legitimate_interest"
	f.denied_by(f.of(facts, {"subscriber_type": "individual"}), "FR-TEL-01")
}

test_not_at_lunch_nor_on_saturdays if {
	calling := f.after(_call, [_agreed])
	every instant in [[5, 540], [5, 780], [5, 1200], [6, 600]] {
		late := f.at(calling, instant[0], instant[1])
		f.denied_by(late, "FR-TEL-02")
		"ENG-QH-01" in f.named(late)
		"retry_after" in f.obliged(late)
	}
	f.basis(f.at(calling, 5, 840)) == "consent"
	f.basis(f.at(f.after(_asked("sms", "marketing"), [f.opt_in({"channel": "sms"})]), 6, 780)) == "consent"
}

test_four_attempts_and_a_pause_after_a_refusal if {
	calling := f.after(_call, [_agreed])
	tried := object.union(calling, {"attempts": {"d30": 4}})
	f.denied_by(tried, "FR-TEL-02")
	not "retry_after" in f.obliged(f.at(tried, 5, 780))
	f.basis(object.union(calling, {"attempts": {"d30": 3}})) == "consent"
	f.basis(f.given(f.of(tried, {"b2b": true}), {"lia_on_file": true})) == "consent"
	refused := f.opt_out({"action": "refused_in_call", "channel": "phone", "rank": 4})
	f.basis(f.after(_call, [refused, _agreed])) == "consent"
	f.denied_by(f.after(_call, [object.union(refused, {"days60": true}), _agreed]), "FR-TEL-02")
}

test_three_years_after_the_last_contact_it_is_over if {
	old := f.after(_mail, [f.opt_in({"months_past": 36})])
	f.denied_by(old, "FR-STL-01")
	f.basis(f.after(_mail, [f.opt_in({"months_past": 24})])) == "consent"
	f.basis(f.of(old, {"interaction": {"months_past": 24}})) == "consent"
	pixel := f.opt_in({"purpose": "email_tracking", "months_past": 36})
	f.denied_by(f.after(_asked("email", "email_tracking"), [pixel]), "FR-STL-01")
	post := f.given(_asked("post", "marketing"), {"lia_on_file": true})
	f.basis(post) == "legitimate_interest"
	f.denied_by(f.of(post, {"interaction": {"months_past": 36}}), "FR-STL-01")
	sold := f.given(f.after(_mail, [f.purchase({"months_past": 36})]), f.similar)
	f.denied_by(sold, "FR-STL-01")
	runs := f.purchase({"months_past": 36, "ongoing_contract": true})
	f.basis(f.given(f.after(_mail, [runs]), f.similar)) == "soft_opt_in"
}
