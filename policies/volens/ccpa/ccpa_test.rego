package volens.ccpa_test

import data.volens.fixtures_test as f

_web := f.california("web", "sale_share")

_ads := f.california("web", "targeted_ads")

_told := {"notice_at_collection": true, "third_party_contract": true}

_sale(changes) := f.opt_in(object.union(
	{"action": "opt_in_sale", "channel": "web", "purpose": "sale_share", "method": "act", "two_step": true, "rank": 8},
	changes,
))

_no_sale(changes) := f.opt_out(object.union(
	{"action": "opt_out_sale", "channel": "web", "purpose": "sale_share"},
	changes,
))

_gpc := _no_sale({"action": "gpc"})

test_sale_is_free_of_adults_who_were_told if {
	f.basis(f.given(_web, _told)) == "none"
	f.denied_by(_web, "USCA-OPT-06")
	every missing in ["notice_at_collection", "third_party_contract"] {
		f.denied_by(f.given(_web, object.remove(_told, [missing])), "USCA-OPT-06")
	}
	f.basis(_ads) == "none"
	f.basis(f.after(_web, [_sale({})])) == "consent"
	f.basis(f.after(_ads, [f.opt_in({"channel": "web", "purpose": "targeted_ads", "method": "act"})])) == "consent"
}

test_an_opt_out_ends_it if {
	every acts in [[_no_sale({})], [f.opt_out({"channel": "web", "purpose": "sale_share"})]] {
		facts := f.given(f.after(_web, acts), _told)
		f.denied_by(facts, "USCA-OPT-01")
		"confirm_opt_out_status" in f.obliged(facts)
		f.verdict(facts).acts == [0]
	}
	f.denied_by(f.flagged(_ads, {"objected": true}), "USCA-OPT-01")
	partner := f.given(f.california("email", "partner_marketing"), {"recipient_given": true})
	f.basis(partner) == "none"
	f.denied_by(f.after(partner, [_no_sale({})]), "USCA-OPT-01")
	f.denied_by(f.after(partner, [f.opt_out({"scope": "sale_share"})]), "USCA-OPT-01")
	"USCA-DSR-04" in f.named(f.after(_web, [_no_sale({"method": "agent"})]))
}

test_a_new_opt_in_takes_two_fair_steps if {
	opened := f.after(_web, [_no_sale({}), _sale({})])
	f.basis(opened) == "consent"
	"USCA-OPT-05" in f.named(opened)
	f.denied_by(f.after(_web, [_no_sale({}), _sale({"two_step": false})]), "USCA-OPT-05")
	every unfair in [{"dark_pattern": true}, {"method": "banner"}, {"method": "terms"}, {"unbundled": false}] {
		f.denied_by(f.after(_web, [_no_sale({}), _sale(unfair)]), "USCA-CON-01")
	}
}

test_a_signal_is_an_opt_out if {
	facts := f.signalled(_ads, {"gpc": true})
	{"USCA-GPC-01", "USST-UOOM-01"} - f.denying(facts) == set()
	"USCA-OPT-03" in f.named(facts)
	not "USCA-OPT-03" in f.named(f.on(facts, "2025-12-31"))
	"confirm_opt_out_status" in f.obliged(facts)
	"USCA-GPC-01" in f.named(f.signalled(_ads, {"unlinked_browser_gpc": true}))
	f.basis(f.signalled(_ads, {"unlinked_browser_gpc": true})) == "none"
	profiling := f.given(f.signalled(f.california("web", "profiling"), {"gpc": true}), {"purpose_disclosed": true})
	f.denied_by(profiling, "USST-UOOM-01")
	f.basis(f.given(profiling, {"policy": {"honour_gpc_everywhere": false}})) == "none"
}

test_it_is_remembered if {
	facts := f.signalled(f.after(_ads, [_gpc]), {"gpc": false})
	{"USCA-GPC-01", "USCA-GPC-05"} - f.denying(facts) == set()
	f.basis(f.after(_ads, [_gpc, _sale({})])) == "consent"
}

_asked := _sale({"after_conflict_notice": true})

_known := {"gpc": true, "consumer_known": true}

test_only_consent_about_the_conflict_beats_it if {
	f.denied_by(f.signalled(f.after(_ads, [_sale({})]), {"gpc": true}), "USCA-GPC-03")
	facts := f.signalled(f.after(_ads, [_asked]), _known)
	f.basis(facts) == "consent"
	{"USCA-GPC-01", "USCA-GPC-03"} - f.named(facts) == set()
	f.basis(f.signalled(f.after(_ads, [_gpc, object.remove(_asked, ["two_step"])]), _known)) == "consent"
	f.denied_by(f.signalled(f.after(_ads, [_asked]), {"gpc": true}), "USCA-GPC-03")
	f.denied_by(f.signalled(facts, {"gpc_first_seen": 8}), "USCA-GPC-03")
	f.denied_by(
		f.signalled(f.after(_ads, [_sale({"after_conflict_notice": true, "two_step": false})]), _known),
		"USCA-GPC-03",
	)
}

_enrolled := _sale({"rank": 3, "programme": "same", "fin_notice": true})

_stays := {
	"action": "fip_withdrawal_not_affirmed",
	"channel": "web",
	"purpose": "sale_share",
	"programme": "same",
	"rank": 9,
}

test_a_programme_may_ask if {
	f.denied_by(f.signalled(f.after(_web, [_enrolled]), _known), "USCA-GPC-04")
	f.denied_by(f.after(_web, [_enrolled, _gpc]), "USCA-GPC-04")
	facts := f.signalled(f.after(_web, [_enrolled, _gpc, _stays]), _known)
	f.basis(facts) == "consent"
	"USCA-GPC-04" in f.named(facts)
	f.basis(f.given(
		f.signalled(f.after(_web, [object.remove(_enrolled, ["fin_notice"]), _stays]), _known),
		{"fin_notice": true},
	)) == "consent"
	f.denied_by(f.signalled(f.after(_web, [_enrolled, _no_sale({}), _stays]), _known), "USCA-GPC-04")
	f.denied_by(
		f.signalled(f.after(_web, [_enrolled, object.union(_stays, {"programme": "other"})]), _known),
		"USCA-GPC-04",
	)
}

test_nobody_asks_again_within_a_year if {
	ask := f.given(f.california("email", "reconsent"), {"reconsent_for": "sale_share"})
	f.basis(ask) == "none"
	f.denied_by(f.after(ask, [_no_sale({})]), "USCA-OPT-04")
	waited := f.after(ask, [_no_sale({"months_waited": 12})])
	f.basis(waited) == "none"
	"two_step_opt_in" in f.obliged(waited)
	f.basis(f.given(f.after(ask, [_no_sale({})]), {"consumer_initiated_transaction_requires_sale": true})) == "none"
	f.denied_by(f.signalled(ask, {"gpc": true}), "USCA-OPT-04")
	f.denied_by(f.after(ask, [f.opt_out({"channel": "web", "purpose": "targeted_ads"})]), "USCA-OPT-04")
	f.denied_by(f.after(f.california("email", "reconsent"), [_limit]), "USCA-OPT-04")
	f.denied_by(
		f.after(f.california("email", "reconsent"), [f.opt_out({"channel": "web", "purpose": "sensitive_use"})]),
		"USCA-OPT-04",
	)
	f.basis(f.given(f.after(f.california("email", "reconsent"), [_no_sale({})]), {"reconsent_for": "marketing"})) == "none"
}

test_minors_who_declined_are_left_alone if {
	ask := f.of(f.given(f.california("in_app", "reconsent"), {"reconsent_for": "sale_share"}), {"age": 15})
	declined := f.opt_out({
		"action": "declined_opt_in",
		"channel": "web",
		"purpose": "sale_share",
		"months_waited": 12,
		"age": 15,
	})
	f.denied_by(f.after(ask, [declined]), "USCA-MIN-04")
	f.denied_by(f.after(ask, [_no_sale({"months_waited": 12})]), "USCA-MIN-04")
	f.basis(f.of(f.after(ask, [declined]), {"age": 16})) == "none"
	f.denied_by(f.of(f.after(ask, [object.union(declined, {"months_waited": 0})]), {"age": 16}), "USCA-MIN-04")
}

test_minors_are_not_sold_without_an_opt_in if {
	child := f.of(f.given(_web, _told), {"age": 12})
	f.denied_by(child, "USCA-MIN-01")
	f.basis(f.after(child, [f.parental_consent({})])) == "consent"
	f.denied_by(f.after(child, [f.parental_consent({"scope": "collection_only"})]), "USCA-MIN-01")
	minor := f.of(f.given(_web, _told), {"age": 15})
	f.denied_by(minor, "USCA-MIN-02")
	f.denied_by(f.after(minor, [f.parental_consent({})]), "USCA-MIN-02")
	f.denied_by(f.after(minor, [_sale({"two_step": false, "age": 15})]), "USCA-MIN-02")
	f.basis(f.after(minor, [_sale({"age": 15})])) == "consent"
	f.denied_by(f.after(minor, [_sale({"age": 12})]), "USCA-MIN-02")
	f.basis(f.of(f.given(_web, _told), {"age": 16})) == "none"
	f.denied_by(f.of_unknown_age(f.given(_web, _told), {"age_signals": "other"}), "USCA-MIN-03")
}

test_paid_programmes_need_an_opt_in_after_notice if {
	enrol := f.california("in_app", "fip_enrolment")
	opt_in := f.opt_in({"channel": "in_app", "purpose": "fip_enrolment", "method": "act", "fin_notice": true})
	f.denied_by(enrol, "USCA-FIN-01")
	f.basis(f.after(enrol, [opt_in])) == "consent"
	f.denied_by(f.after(enrol, [object.remove(opt_in, ["fin_notice"])]), "USCA-FIN-01")
	f.denied_by(f.given(f.after(enrol, [opt_in]), {"fin_notice": false}), "USCA-FIN-01")
	ask := f.given(f.california("in_app", "reconsent"), {"reconsent_for": "fip_enrolment"})
	refused := f.opt_out({"action": "declined_opt_in", "channel": "in_app", "purpose": "fip_enrolment"})
	f.denied_by(f.after(ask, [refused]), "USCA-FIN-01")
	f.basis(f.after(ask, [object.union(refused, {"months_waited": 12})])) == "none"
}

_limit := {
	"action": "limit",
	"channel": "web",
	"purpose": "sensitive_use",
	"method": "withdrawal",
	"rank": 7,
	"months_waited": 0,
}

_use := f.given(f.california("in_app", "sensitive_use"), {"notice_right_to_limit": true, "purpose_disclosed": true})

test_sensitive_use_ends_where_it_is_limited if {
	f.basis(_use) == "none"
	f.denied_by(f.california("in_app", "sensitive_use"), "USCA-LIM-01")
	f.denied_by(f.after(_use, [_limit]), "USCA-LIM-01")
	f.denied_by(f.after(_use, [f.opt_out({"channel": "in_app", "purpose": "sensitive_use"})]), "USCA-LIM-01")
	needed := f.given(f.after(_use, [_limit]), {"use": "security"})
	f.basis(needed) == "none"
	"limit_to_7027m" in f.obliged(needed)
	undone := f.opt_in({"channel": "in_app", "purpose": "sensitive_use", "method": "act", "two_step": true, "rank": 8})
	f.basis(f.after(_use, [_limit, undone])) == "consent"
	f.denied_by(f.after(_use, [_limit, object.union(undone, {"two_step": false})]), "USCA-LIM-01")
}

test_data_of_the_young_are_sensitive if {
	young := f.of(f.given(f.california("in_app", "personalization"), {"purpose_disclosed": true}), {"age": 15})
	f.basis(young) == "none"
	"USCA-LIM-02" in f.named(young)
	f.denied_by(f.after(young, [_limit]), "USCA-LIM-01")
	f.basis(f.on(f.after(young, [_limit]), "2025-12-28")) == "none"
}

test_own_use_is_free_where_it_is_expected if {
	own := f.given(f.california("in_app", "personalization"), {"purpose_disclosed": true})
	f.basis(own) == "none"
	"USCA-FP-01" in f.named(own)
	f.denied_by(f.california("in_app", "personalization"), "USCA-PUR-01")
	f.denied_by(f.given(own, {"first_party_only": false}), "USCA-FP-01")
	f.basis(f.after(
		f.california("in_app", "personalization"),
		[f.opt_in({"channel": "in_app", "purpose": "personalization", "method": "act"})],
	)) == "consent"
	f.basis(f.california("web", "analytics")) == "none"
}

_no_machines := {"action": "adm_opt_out", "channel": "in_app", "purpose": "adm", "rank": 7}

test_machines_decide_unless_refused if {
	facts := f.after(f.california("in_app", "adm"), [_no_machines])
	f.basis(facts) == "none"
	"USCA-ADM-01" in f.named(facts)
	not "adm_notice" in f.obliged(facts)
	f.denied_by(f.on(facts, "2027-01-01"), "USCA-ADM-01")
	excepted := f.on(f.given(facts, {"human_appeal_exception": true}), "2027-01-01")
	f.basis(excepted) == "none"
	"adm_notice" in f.obliged(excepted)
	f.basis(f.on(f.given(facts, {"significant_effect": false}), "2027-01-01")) == "none"
	again := f.opt_in({"channel": "in_app", "purpose": "adm", "method": "act", "rank": 8})
	f.basis(f.on(f.after(f.california("in_app", "adm"), [_no_machines, again]), "2027-01-01")) == "consent"
}

test_the_deleted_stay_deleted if {
	mail := f.california("email", "marketing")
	f.denied_by(f.flagged(mail, {"erased": true}), "USCA-DEL-01")
	f.denied_by(f.flagged(mail, {"suppressed": true}), "USCA-DEL-01")
	erased := {"action": "erased", "channel": "any", "purpose": "any", "rank": 3}
	f.denied_by(f.after(mail, [erased]), "USCA-DEL-01")
	f.basis(f.after(mail, [erased, f.opt_in({"method": "act"})])) == "consent"
	f.basis(f.flagged(
		f.after(mail, [f.opt_in({"method": "act"})]),
		{"suppressed": true, "suppressed_rank": 4},
	)) == "consent"
	f.basis(f.after(_web, [erased, _sale({})])) == "consent"
}

test_brokers_delete_who_is_listed if {
	mail := f.flagged(f.california("email", "marketing"), {"drop_listed": true})
	f.basis(mail) == "none"
	"USCA-DROP-01" in f.named(mail)
	f.denied_by(f.given(mail, {"direct_relationship": false}), "USCA-DROP-01")
	f.denied_by(f.given(mail, {"sender_is_data_broker": true}), "USCA-DROP-01")
	f.basis(f.given(mail, {"sender_is_data_broker": true, "direct_relationship": true})) == "none"
	f.basis(f.given(mail, {"sender_is_data_broker": false, "direct_relationship": false})) == "none"
	f.basis(f.given(f.flagged(mail, {"drop_match": "unverified"}), {"sender_is_data_broker": true})) == "none"
	f.denied_by(
		f.given(f.flagged(_ads, {"drop_listed": true, "drop_match": "unverified"}), {"sender_is_data_broker": true}),
		"USCA-DROP-01",
	)
}

test_their_lists_may_be_records if {
	broker := f.given(f.california("email", "marketing"), {"sender_is_data_broker": true})
	f.basis(f.after(broker, [_no_sale({"action": "drop_unverified"})])) == "none"
	f.denied_by(f.after(broker, [_no_sale({"action": "drop_listed"})]), "USCA-DROP-01")
	f.denied_by(
		f.after(broker, [_no_sale({"action": "drop_unverified"}), _no_sale({"action": "drop_listed"})]),
		"USCA-DROP-01",
	)
	f.denied_by(
		f.flagged(f.after(broker, [_no_sale({"action": "drop_unverified"})]), {"drop_listed": true}),
		"USCA-DROP-01",
	)
}
