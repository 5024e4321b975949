package volens.canada_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "CA-ON"})

_mail := _asked("email", "marketing")

_call := _asked("phone", "marketing")

_opt_in(changes) := f.opt_in(object.union({"method": "act"}, changes))

test_commercial_messages_need_consent if {
	every channel in ["email", "sms", "social_dm"] {
		f.denied_by(_asked(channel, "marketing"), "CA-CASL-01")
		f.basis(f.after(_asked(channel, "marketing"), [_opt_in({"channel": channel})])) == "consent"
	}
	f.denied_by(_asked("email", "reconsent"), "CA-CASL-01")
	f.basis(f.after(_asked("email", "reconsent"), [_opt_in({})])) == "consent"
}

test_express_consent_is_not_limited_in_time_and_needs_no_text_on_file if {
	f.basis(f.after(_mail, [_opt_in({"months_past": 36})])) == "consent"
	f.basis(f.after(_mail, [object.remove(_opt_in({}), ["notice"])])) == "consent"
	f.denied_by(f.after(_mail, [_opt_in({"expired": true})]), "CA-CASL-01")
	f.denied_by(f.after(_mail, [_opt_in({"evidence": "null"})]), "CA-CASL-01")
}

test_a_relation_implies_consent_for_its_time if {
	within := {"purchase": 18, "support_given": 18, "inquiry": 3}
	over := {"purchase": 24, "support_given": 24, "inquiry": 6}
	every action, months in within {
		facts := f.after(_mail, [f.purchase({"action": action, "months_past": months})])
		f.basis(facts) == "consent"
		"CA-CASL-02" in f.named(facts)
		stale := f.after(_mail, [f.purchase({"action": action, "months_past": over[action]})])
		f.denied_by(stale, "CA-CASL-01")
		"CA-CASL-02" in f.named(stale)
	}
	f.denied_by(f.after(_mail, [f.purchase({"action": "inquiry", "purpose": "support"})]), "CA-CASL-01")
	every change in [{"seller": "other"}, {"person": "other"}, {"future": true}, {"action": "free_account"}] {
		f.denied_by(f.after(_mail, [f.purchase(change)]), "CA-CASL-01")
	}
}

test_implied_consent_is_to_the_senders_own_messages if {
	every purpose in ["partner_marketing", "political_ads"] {
		f.denied_by(f.after(_asked("email", purpose), [f.purchase({})]), "CA-CASL-01")
	}
	f.basis(f.after(_asked("email", "fundraising"), [f.purchase({"action": "support_given"})])) == "consent"
	f.denied_by(f.after(f.given(_mail, {"recipient_given": true}), [f.purchase({})]), "CA-CASL-01")
	f.denied_by(f.after(_asked("messaging_app", "marketing"), [f.purchase({})]), "ENG-DENY-01")
}

_published := {"action": "published_address", "channel": "email", "method": "act", "rank": 3}

test_a_published_address_implies_consent_to_what_the_role_is_about if {
	facts := f.given(f.after(_mail, [_published]), {"relevant_to_role": true})
	f.basis(facts) == "consent"
	f.denied_by(f.after(_mail, [_published]), "CA-CASL-01")
	every change in [{"no_solicitation_statement": true}, {"channel": "sms"}, {"person": "other"}, {"future": true}] {
		f.denied_by(f.after(facts, [object.union(_published, change)]), "CA-CASL-01")
	}
}

test_who_unsubscribed_stays_unsubscribed if {
	f.denied_by(f.after(_mail, [f.opt_out({}), f.purchase({"rank": 8})]), "CA-CASL-03")
	f.basis(f.after(_mail, [f.opt_out({}), _opt_in({"rank": 8})])) == "consent"
	f.denied_by(f.flagged(_mail, {"erased": true}), "CA-CASL-03")
	f.denied_by(f.flagged(_asked("post", "marketing"), {"erasure_pending": true}), "CA-CASL-03")
}

test_every_message_is_complete if {
	served := _asked("email", "service")
	pending := f.after(_asked("email", "doi_confirmation"), [_opt_in({"action": "opt_in_pending"})])
	every defect in ["optout_in_message", "sender_identified", "postal_address_present"] {
		f.denied_by(f.given(f.after(_mail, [_opt_in({})]), {defect: false}), "CA-CASL-04")
		f.denied_by(f.given(served, {defect: false}), "CA-CASL-04")
		f.denied_by(f.given(pending, {defect: false}), "CA-CASL-04")
	}
	f.basis(served) == "contract"
	{"unsubscribe_link", "identify_sender", "postal_address"} - f.obliged(served) == set()
}

test_answers_are_exempt if {
	asked := {"requested_by_subject": true}
	answer := f.given(_asked("email", "support"), asked)
	f.basis(answer) == "contract"
	"CA-CASL-05" in f.named(answer)
	not "postal_address" in f.obliged(answer)
	f.basis(f.given(answer, {"postal_address_present": false})) == "contract"
	f.basis(f.given(_mail, asked)) == "none"
	mixed := f.given(answer, {"content": "mixed"})
	f.denied_by(mixed, "CA-CASL-01")
	"CA-CASL-05" in f.named(mixed)
	f.denied_by(f.given(_asked("email", "political_ads"), asked), "CA-CASL-01")
}

test_business_partners_and_legal_notices_are_exempt if {
	partner := f.of(f.given(_mail, {"relevant_to_role": true}), {"b2b": true, "is_customer": true})
	f.basis(partner) == "none"
	"CA-CASL-05" in f.named(partner)
	f.denied_by(f.of(partner, {"is_customer": false}), "CA-CASL-01")
	f.denied_by(f.after(partner, [f.opt_out({})]), "CA-CASL-03")
	notice := _asked("email", "legal_notice")
	f.basis(notice) == "legal_obligation"
	"CA-CASL-05" in f.named(notice)
}

test_calls_by_people_are_free_until_refused if {
	f.basis(_call) == "none"
	"dnc_scrub" in f.obliged(_call)
	f.basis(f.after(_call, [_opt_in({"channel": "phone"})])) == "consent"
	f.denied_by(f.after(_call, [f.opt_out({"channel": "phone"})]), "CA-DNCL-01")
	f.denied_by(_asked("phone_auto", "marketing"), "ENG-DENY-01")
	f.denied_by(f.given(_call, {"automated": true}), "ENG-DENY-01")
	f.basis(f.after(_asked("phone_auto", "marketing"), [_opt_in({"channel": "phone_auto"})])) == "consent"
}

test_a_listed_number_is_called_on_consent_or_in_a_relationship if {
	listed := f.signalled(_call, {"dncl_listed": true})
	f.denied_by(listed, "CA-DNCL-01")
	f.denied_by(f.after(_call, [{"action": "dnc_listed", "channel": "phone", "rank": 3}]), "CA-DNCL-01")
	f.basis(f.after(listed, [_opt_in({"channel": "phone"})])) == "consent"
	f.basis(f.after(listed, [f.purchase({"months_past": 12})])) == "none"
	f.denied_by(f.after(listed, [f.purchase({"months_past": 18})]), "CA-DNCL-01")
	f.basis(f.after(listed, [f.purchase({"action": "inquiry", "months_past": 3})])) == "none"
	f.denied_by(f.after(listed, [f.purchase({"action": "inquiry", "months_past": 6})]), "CA-DNCL-01")
}

test_calls_keep_the_canadian_hours_and_texts_the_default if {
	f.denied_by(f.at(_call, 6, 540), "CA-DNCL-01")
	f.basis(f.at(_call, 7, 600)) == "none"
	f.basis(f.at(_call, 5, 1200)) == "none"
	text := f.after(_asked("sms", "marketing"), [_opt_in({"channel": "sms"})])
	late := f.at(text, 5, 1200)
	f.denied_by(late, "ENG-QH-01")
	not "CA-DNCL-01" in f.named(late)
}

test_what_has_no_row_needs_an_opt_in_that_names_it if {
	every purpose in ["personalization", "profiling", "analytics", "sale_share", "fip_enrolment", "sensitive_use"] {
		f.denied_by(f.given(_asked("web", purpose), {"lia_on_file": true}), "ENG-DENY-01")
		f.basis(f.after(_asked("web", purpose), [_opt_in({"channel": "web", "purpose": purpose})])) == "consent"
	}
	f.basis(_asked("web", "adm")) == "none"
}

test_children_below_thirteen_need_a_parent if {
	child := f.of(_mail, {"age": 12})
	f.denied_by(f.after(child, [f.purchase({})]), "ENG-DENY-01")
	f.denied_by(f.of(_call, {"age": 12}), "ENG-DENY-01")
	f.basis(f.after(child, [f.parental_consent({"notice": {}})])) == "consent"
	f.basis(f.after(f.of(_mail, {"age": 13}), [_opt_in({"age": 13})])) == "consent"
	f.denied_by(f.after(f.of(_mail, {"age": 13}), [_opt_in({"age": 12})]), "CA-CASL-01")
	f.denied_by(f.of(_asked("web", "profiling"), {"age": 12}), "ENG-DENY-01")
	f.basis(f.of(_asked("web", "adm"), {"age": 12})) == "none"
}
