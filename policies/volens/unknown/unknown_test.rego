package volens.unknown_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "ZZ"})

_mail := _asked("email", "marketing")

_agreed := f.after(_mail, [f.opt_in({})])

test_a_country_without_rows_is_an_unknown_place if {
	every place in ["ZZ", "JP", "AU-NSW"] {
		f.denied_by(f.placed(_mail, {"residence": place}), "ENG-UNK-01")
		f.basis(f.placed(_agreed, {"residence": place})) == "consent"
	}
}

test_the_strictest_profile_asks_for_all_obligations if {
	{"unsubscribe_link", "identify_sender", "postal_address", "one_click_header"} - f.obliged(_agreed) == set()
	"ENG-UNK-01" in f.named(_agreed)
}

test_a_weaker_opt_in_is_none if {
	every change in [
		{"method": "act"}, {"method": "silence"}, {"method": "list"}, {"evidence": "null"}, {"channel": "any"},
		{"purpose": "any"}, {"notice": {"shown": false}},
		{"notice": {"material_change": true}}, {"age": 17}, {"months_past": 24}, {"expired": true},
		{"future": true}, {"person": "other"}, {"address": "other"}, {"brand": "other"}, {"unbundled": false},
		{"incentive": true}, {"dark_pattern": true}, {"controllers": "others"},
	] {
		f.denied_by(f.after(_mail, [f.opt_in(change)]), "ENG-UNK-01")
	}
	f.denied_by(f.after(_mail, [object.remove(f.opt_in({}), ["notice"])]), "ENG-UNK-01")
	f.basis(f.after(_mail, [f.opt_in({"incentive": true, "unbundled": true})])) == "consent"
}

test_an_employee_is_not_free_to_refuse if {
	f.denied_by(f.of(_agreed, {"relationship": "employee"}), "ENG-UNK-01")
}

test_a_second_step_is_asked_by_mail_alone if {
	every channel in ["sms", "phone", "phone_auto", "post", "messaging_app"] {
		f.basis(f.after(_asked(channel, "marketing"), [f.opt_in({"channel": channel, "method": "act"})])) == "consent"
	}
	f.basis(f.after(_mail, [f.opt_in({"method": "double_opt_in_email"})])) == "consent"
	text := f.opt_in({"channel": "sms", "method": "double_opt_in_email"})
	f.denied_by(f.after(_asked("sms", "marketing"), [text]), "ENG-UNK-01")
}

test_nothing_but_consent_permits_what_is_ordinary if {
	every purpose in ["marketing", "personalization", "analytics", "sale_share", "fip_enrolment"] {
		facts := f.given(_asked("web", purpose), {"lia_on_file": true, "first_party_only": true})
		f.denied_by(f.after(facts, [f.purchase({})]), "ENG-UNK-01")
		f.basis(f.after(facts, [f.opt_in({"channel": "web", "purpose": purpose})])) == "consent"
	}
	f.denied_by(f.after(_asked("web", "adm"), [f.opt_in({"channel": "web", "purpose": "adm"})]), "ENG-UNK-01")
}

test_special_data_need_an_explicit_opt_in_that_covers_them if {
	facts := f.given(_mail, {"special_category": "health", "requested_by_subject": true})
	f.denied_by(f.after(facts, [f.opt_in({})]), "ENG-UNK-01")
	f.denied_by(f.after(facts, [f.opt_in({"explicit": true})]), "ENG-UNK-01")
	f.basis(f.after(facts, [f.opt_in({"explicit": true, "covers_category": true})])) == "consent"
}

test_a_signal_denies_whatever_came_later if {
	f.denied_by(f.signalled(_agreed, {"gpc": true, "gpc_first_seen": 1}), "ENG-UNK-01")
	indifferent := f.given(f.signalled(_agreed, {"gpc": true}), {"policy": {"honour_gpc_everywhere": false}})
	f.denied_by(indifferent, "ENG-UNK-01")
	f.basis(f.signalled(_agreed, {"gpc": false})) == "consent"
}

test_a_signal_on_record_is_overtaken_by_consent_alone if {
	f.denied_by(f.after(_mail, [f.opt_in({}), {"action": "gpc", "channel": "web", "rank": 7}]), "ENG-UNK-01")
	f.basis(f.after(_mail, [f.opt_in({}), {"action": "gpc", "channel": "web", "rank": 3}])) == "consent"
}

_call := f.after(_asked("phone", "marketing"), [f.opt_in({"channel": "phone"})])

_listing(rank) := {"action": "dnc_listed", "channel": "phone", "rank": rank}

test_a_register_is_beaten_by_a_later_opt_in_alone if {
	f.denied_by(f.signalled(_call, {"tps_listed": true}), "ENG-UNK-01")
	f.denied_by(f.after(_call, [f.opt_in({"channel": "phone"}), _listing(7)]), "ENG-UNK-01")
	listed := f.after(_call, [f.opt_in({"channel": "phone"}), _listing(3)])
	f.basis(listed) == "consent"
	f.basis(f.signalled(listed, {"tps_listed": true})) == "consent"
	f.basis(f.signalled(_agreed, {"robinson_listed": true})) == "consent"
}

test_children_need_a_parent if {
	child := f.of(_mail, {"age": 17})
	f.denied_by(f.after(child, [f.opt_in({"age": 17})]), "ENG-UNK-01")
	f.basis(f.after(child, [f.parental_consent({})])) == "consent"
	f.basis(f.after(child, [f.opt_in({"age": 17}), f.parental_consent({"notice": {}})])) == "consent"
	f.denied_by(f.after(child, [f.parental_consent({"evidence": "null"})]), "ENG-UNK-01")
	refused := [f.opt_in({"age": 17, "rank": 8}), f.parental_consent({}), f.opt_out({})]
	f.denied_by(f.after(child, refused), "ENG-UNK-01")
	f.denied_by(f.after(f.of_unknown_age(_mail, {"age_signals": "other"}), [f.opt_in({})]), "ENG-UNK-01")
	grown := object.remove(f.opt_in({}), ["age"])
	f.basis(f.after(f.of_unknown_age(_mail, {}), [grown])) == "consent"
}

test_defects_of_content_deny if {
	every defect in ["optout_in_message", "sender_identified", "postal_address_present"] {
		f.denied_by(f.given(_agreed, {defect: false}), "ENG-UNK-01")
	}
}

test_calls_and_texts_keep_the_hours_and_mail_does_not if {
	late := f.at(_call, 6, 1200)
	f.denied_by(late, "ENG-UNK-01")
	f.denied_by(late, "ENG-QH-01")
	"retry_after" in f.obliged(late)
	f.basis(f.at(_agreed, 7, 0)) == "consent"
}
