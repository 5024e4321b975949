package volens.ccpa_sale_test

import data.volens.fixtures_test as f

_web := f.california("web", "sale_share")

_sale(changes) := f.opt_in(object.union(
	{"action": "opt_in_sale", "channel": "web", "purpose": "sale_share", "method": "act", "two_step": true, "rank": 8},
	changes,
))

_no_sale(changes) := f.opt_out(object.union(
	{"action": "opt_out_sale", "channel": "web", "purpose": "sale_share"},
	changes,
))

_told := {"notice_at_collection": true, "third_party_contract": true}

test_a_sale_has_no_channel if {
	f.basis(f.after(f.california("ads", "sale_share"), [_no_sale({}), _sale({})])) == "consent"
	partner := f.given(f.california("email", "partner_marketing"), {"recipient_given": true})
	f.basis(f.after(partner, [_no_sale({}), _sale({})])) == "none"
}

test_a_steered_opt_in_is_named_wherever_one_is_needed if {
	steered := _sale({"dark_pattern": true})
	f.denied_by(f.given(f.after(_web, [_no_sale({}), steered]), _told), "USCA-CON-01")
	f.denied_by(f.given(f.signalled(f.after(_web, [steered]), {"gpc": true}), _told), "USCA-CON-01")
	f.denied_by(f.given(f.of(f.after(_web, [steered]), {"age": 15}), _told), "USCA-CON-01")
	f.basis(f.given(f.after(_web, [steered]), _told)) == "none"
}

test_another_programme_was_not_asked if {
	enrolled := _sale({"programme": "other", "fin_notice": true})
	f.denied_by(f.signalled(f.after(_web, [enrolled]), {"gpc": true, "consumer_known": true}), "USCA-GPC-04")
}

test_an_answer_that_names_no_programme_is_about_the_only_one if {
	enrolled := _sale({"programme": "same", "fin_notice": true, "rank": 3})
	stays := {"action": "fip_withdrawal_not_affirmed", "channel": "web", "purpose": "sale_share", "rank": 9}
	known := {"gpc": true, "consumer_known": true}
	f.basis(f.signalled(f.after(_web, [enrolled, stays]), known)) == "consent"
	second := object.union(enrolled, {"programme": "other"})
	f.denied_by(f.signalled(f.after(_web, [enrolled, second, stays]), known), "USCA-GPC-04")
}

test_profiling_remembers_the_signal if {
	profiling := f.given(f.california("web", "profiling"), {"purpose_disclosed": true})
	signalled := f.after(profiling, [_no_sale({"action": "gpc"})])
	f.denied_by(signalled, "USST-UOOM-01")
	"confirm_opt_out_status" in f.obliged(signalled)
	f.basis(f.given(signalled, {"policy": {"honour_gpc_everywhere": false}})) == "none"
	asked := f.opt_in({"channel": "web", "purpose": "profiling", "rank": 9})
	f.basis(f.after(profiling, [_no_sale({"action": "gpc"}), asked])) == "consent"
}

test_a_limit_binds_every_use_of_sensitive_data if {
	limit := f.opt_out({"action": "limit", "channel": "web", "purpose": "sensitive_use"})
	every purpose in ["personalization", "targeted_ads", "marketing"] {
		facts := f.after(f.california("web", purpose), [limit])
		not "USCA-LIM-01" in f.named(facts)
		f.denied_by(f.given(facts, {"sensitive": "health"}), "USCA-LIM-01")
		f.denied_by(f.given(facts, {"special_category": "health"}), "USCA-LIM-01")
	}
}

test_a_minor_who_declined_may_be_asked_in_the_end if {
	declined := {
		"action": "declined_opt_in",
		"channel": "web",
		"purpose": "sale_share",
		"rank": 1,
		"age": 15,
		"months_waited": 12,
	}
	asking := f.given(f.california("in_app", "reconsent"), {"reconsent_for": "sale_share"})
	facts := f.of(f.after(asking, [declined]), {"age": 16})
	"two_step_opt_in" in f.obliged(facts)
	f.basis(facts) == "none"
	"USCA-MIN-04" in f.named(facts)
}

test_childrens_data_are_sensitive_from_2026_on if {
	limit := f.opt_out({"action": "limit", "channel": "in_app", "purpose": "sensitive_use"})
	told := {"sensitive": "under16", "notice_right_to_limit": true, "purpose_disclosed": true}
	facts := f.given(f.of(f.after(f.california("in_app", "sensitive_use"), [limit]), {"age": 15}), told)
	f.denied_by(facts, "USCA-LIM-01")
	"USCA-LIM-02" in f.named(facts)
	f.basis(f.on(facts, "2025-12-28")) == "none"
	f.denied_by(f.on(f.given(facts, {"special_category": "health"}), "2025-12-28"), "USCA-LIM-01")
}

test_a_deletion_is_named_where_it_no_longer_bars if {
	mail := f.california("email", "marketing")
	"USCA-DEL-01" in f.named(f.flagged(f.after(mail, [f.opt_in({})]), {"previously_erased": true}))
	"USCA-DEL-01" in f.named(f.after(f.california("email", "dsr_response"), [f.opt_out({"action": "erased"})]))
	not "USCA-DEL-01" in f.named(mail)
}

test_a_withdrawn_opt_in_lends_nothing_to_a_later_one if {
	enrol := f.california("in_app", "fip_enrolment")
	plain := f.opt_in({"channel": "in_app", "purpose": "fip_enrolment", "method": "act", "rank": 9})
	told := object.union(plain, {"fin_notice": true, "rank": 5})
	no := f.opt_out({"channel": "in_app", "purpose": "fip_enrolment"})
	f.denied_by(f.after(enrol, [told, no, plain]), "USCA-FIN-01")
	f.basis(f.after(enrol, [told, plain])) == "consent"
	f.basis(f.after(enrol, [told, no, object.union(plain, {"fin_notice": true})])) == "consent"
}

test_a_child_does_not_lend_from_a_withdrawn_parents_consent if {
	child := f.of(f.california("web", "sale_share"), {"age": 12})
	parents := f.parental_consent({"channel": "web", "purpose": "sale_share"})
	own := f.opt_in({
		"action": "opt_in_sale", "channel": "web", "purpose": "sale_share",
		"method": "act", "two_step": true, "rank": 9, "age": 12,
	})
	f.denied_by(f.after(child, [parents, f.opt_out({"action": "opt_out_sale"}), own]), "USCA-MIN-01")
}

test_what_is_declared_undisclosed_needs_consent if {
	every purpose in ["marketing", "analytics", "email_tracking", "adm", "targeted_ads", "sale_share", "profiling"] {
		hidden := f.given(f.california("email", purpose), {
			"purpose_disclosed": false, "notice_at_collection": true, "third_party_contract": true,
		})
		f.denied_by(hidden, "USCA-PUR-01")
		f.basis(f.after(hidden, [f.opt_in({"purpose": purpose})])) == "consent"
	}
	hidden_use := {"purpose_disclosed": false, "use": "security"}
	f.basis(f.given(f.california("in_app", "sensitive_use"), hidden_use)) == "none"
	f.basis(f.given(f.california("email", "service"), {"purpose_disclosed": false})) == "contract"
	f.denied_by(f.given(f.california("web", "sale_share"), {"purpose_disclosed": false}), "USCA-PUR-01")
}
