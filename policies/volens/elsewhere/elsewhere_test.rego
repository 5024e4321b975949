package volens.elsewhere_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "ZZ"})

_mail := _asked("email", "marketing")

_agreed := f.after(_mail, [f.opt_in({})])

test_a_refusal_stands_until_a_later_valid_consent if {
	f.denied_by(f.after(_mail, [f.opt_in({}), f.opt_out({})]), "ENG-OPT-01")
	f.denied_by(f.after(_mail, [f.opt_in({"rank": 7}), f.opt_out({})]), "ENG-OPT-01")
	f.denied_by(f.after(_mail, [f.opt_out({}), f.opt_in({"rank": 8, "method": "act"})]), "ENG-OPT-01")
	f.basis(f.after(_mail, [f.opt_out({}), f.opt_in({"rank": 8})])) == "consent"
	f.denied_by(f.flagged(_agreed, {"objected": true}), "ENG-OPT-01")
	f.denied_by(f.after(_mail, [f.opt_in({}), f.opt_out({"action": "complaint"})]), "ENG-COMPL-01")
}

test_nobody_need_bear_decisions_of_machines_alone if {
	refusal := {"action": "adm_opt_out", "channel": "any", "rank": 7}
	f.denied_by(f.after(_asked("web", "adm"), [refusal]), "ENG-OPT-01")
}

test_an_erasure_ends_all_but_service_for_an_open_order if {
	erased := f.after(_mail, [f.opt_in({}), {"action": "erased", "channel": "any", "rank": 6}])
	f.denied_by(erased, "ENG-OPT-01")
	f.basis(f.after(_mail, [{"action": "erased", "channel": "any", "rank": 3}, f.opt_in({})])) == "consent"
	f.denied_by(f.flagged(_agreed, {"erased": true}), "ENG-OPT-01")
	f.basis(f.given(f.flagged(_asked("email", "service"), {"erasure_pending": true}), {"open_order": true})) == "contract"
}

test_a_suppressed_address_is_opened_by_a_later_consent if {
	f.denied_by(f.flagged(_agreed, {"suppressed": true}), "ENG-OPT-01")
	f.denied_by(f.flagged(_agreed, {"suppressed": true, "suppressed_rank": 6}), "ENG-OPT-01")
	f.basis(f.flagged(_agreed, {"suppressed": true, "suppressed_rank": 3})) == "consent"
}

test_a_signal_is_a_refusal_to_be_sold_targeted_or_profiled if {
	facts := f.after(_asked("web", "targeted_ads"), [f.opt_in({"channel": "web", "purpose": "targeted_ads"})])
	f.denied_by(f.signalled(facts, {"gpc": true}), "ENG-OPT-01")
	f.denied_by(f.signalled(facts, {"gpc": true, "gpc_first_seen": 6}), "ENG-OPT-01")
	not f.denied_by(f.signalled(facts, {"gpc": true, "gpc_first_seen": 3}), "ENG-OPT-01")
	indifferent := f.given(f.signalled(facts, {"gpc": true}), {"policy": {"honour_gpc_everywhere": false}})
	not f.denied_by(indifferent, "ENG-OPT-01")
}

test_a_stale_or_ended_consent_says_so if {
	f.denied_by(f.after(_mail, [f.opt_in({"months_past": 24})]), "ENG-STALE-01")
	f.denied_by(f.after(_mail, [f.opt_in({"expired": true})]), "ENG-STALE-01")
	f.basis(f.after(f.of(_mail, {"interaction": {"months_past": 3}}), [f.opt_in({"months_past": 24})])) == "consent"
}

test_another_ones_opt_in_is_no_ones if {
	f.denied_by(f.after(_mail, [f.opt_in({"person": "other"})]), "ENG-ID-01")
	f.denied_by(f.after(_mail, [f.opt_in({"address": "other"})]), "ENG-ID-01")
}

test_a_partner_is_named if {
	facts := f.given(_asked("email", "partner_marketing"), {"recipient_given": true})
	unnamed := f.opt_in({"purpose": "partner_marketing"})
	f.denied_by(f.after(facts, [unnamed]), "ENG-UNK-01")
	f.basis(f.after(facts, [object.union(unnamed, {"recipients": "recipient"})])) == "consent"
}

test_messages_that_serve_need_no_consent if {
	every purpose in ["service", "security", "support"] {
		f.basis(f.after(_asked("push", purpose), [f.opt_out({"channel": "push"})])) == "contract"
		f.denied_by(f.after(_asked("push", purpose), [f.opt_out({"channel": "push", "purpose": "any"})]), "ENG-OPT-01")
		f.denied_by(f.given(_asked("email", purpose), {"sender_identified": false}), "ENG-DENY-01")
	}
	mixed := f.given(_asked("email", "service"), {"content": "mixed"})
	f.denied_by(mixed, "ENG-UNK-01")
	"EU-SVC-02" in f.named(mixed)
}

test_a_restricted_person_may_agree_to_be_served if {
	agreed := f.opt_in({"action": "consent_during_restriction", "purpose": "service", "rank": 9})
	restricted := f.flagged(_asked("email", "service"), {"restricted_rank": 8})
	f.basis(f.after(restricted, [agreed])) == "consent"
}

test_duties_are_done if {
	every purpose in ["legal_notice", "dsr_response"] {
		facts := f.flagged(f.after(_asked("email", purpose), [f.opt_out({"purpose": "any"})]), {"erased": true})
		f.basis(facts) == "legal_obligation"
		"EU-SVC-03" in f.named(facts)
	}
}

test_a_refusal_is_confirmed_once if {
	facts := f.after(_asked("sms", "optout_confirmation"), [f.opt_out({"channel": "sms", "minutes5": true})])
	f.basis(facts) == "none"
	f.denied_by(f.given(facts, {"prior_confirmation_texts": 1}), "EU-SVC-03")
}

test_one_mail_asks_for_the_second_step if {
	pending := f.opt_in({"action": "opt_in_pending", "method": "act"})
	facts := f.after(_asked("email", "doi_confirmation"), [pending])
	f.basis(facts) == "none"
	not f.basis(f.given(facts, {"prior_confirmation_mails": 1}))
	not f.basis(_asked("email", "doi_confirmation"))
	f.denied_by(f.given(facts, {"sender_identified": false}), "ENG-DENY-01")
	refused := f.after(facts, [pending, f.opt_out({})])
	f.denied_by(refused, "ENG-OPT-01")
	f.basis(f.after(facts, [object.union(pending, {"rank": 9}), f.opt_out({})])) == "none"
}
