package volens.us_states_opt_out_test

import data.volens.fixtures_test as f

in_state(place, channel, purpose) := f.placed(f.california(channel, purpose), {"residence": place})

_ads := in_state("US-VA", "web", "targeted_ads")

_yes(changes) := f.opt_in(object.union(
	{"action": "opt_in_sale", "channel": "web", "purpose": "sale_share", "method": "act", "rank": 8},
	changes,
))

_no(changes) := f.opt_out(object.union(
	{"action": "opt_out_sale", "channel": "web", "purpose": "sale_share"},
	changes,
))

test_data_are_used_freely_until_refused if {
	every purpose in ["sale_share", "targeted_ads", "personalization", "profiling", "analytics", "email_tracking", "adm"] {
		f.basis(in_state("US-VA", "web", purpose)) == "none"
	}
	"USST-OPT-01" in f.named(_ads)
	f.basis(f.after(_ads, [_yes({})])) == "consent"
	f.verdict(f.after(_ads, [_yes({})])).acts == [0]
}

test_paid_programmes_need_an_opt_in if {
	enrol := in_state("US-VA", "in_app", "fip_enrolment")
	not f.verdict(enrol).allow
	f.basis(f.after(enrol, [f.opt_in({"channel": "in_app", "purpose": "fip_enrolment"})])) == "consent"
}

test_who_opts_out_is_neither_sold_nor_targeted if {
	every purpose in ["sale_share", "targeted_ads"] {
		asked := in_state("US-VA", "web", purpose)
		every act in [_no({}), f.opt_out({"channel": "email", "purpose": "targeted_ads"})] {
			facts := f.after(asked, [act])
			{"USST-OPT-01", "ENG-OPT-01"} - f.denying(facts) == set()
			f.verdict(facts).acts == [0]
		}
	}
	f.denied_by(f.flagged(_ads, {"objected": true}), "USST-OPT-01")
	not "USST-OPT-01" in f.named(f.after(in_state("US-VA", "email", "marketing"), [_no({})]))
}

test_the_law_holds_in_states_without_one_and_before_its_day if {
	every place in ["US-NY", "US-AL", "US"] {
		f.denied_by(f.after(in_state(place, "web", "targeted_ads"), [_no({})]), "USST-OPT-01")
	}
}

test_business_contacts_may_refuse_too if {
	contact := f.of(_ads, {"b2b": true})
	f.basis(contact) == "none"
	f.denied_by(f.after(contact, [_no({})]), "ENG-OPT-01")
}

test_a_later_opt_in_to_it_opens_again if {
	f.basis(f.after(_ads, [_no({}), _yes({})])) == "consent"
	f.basis(f.after(_ads, [_no({}), f.opt_in({"channel": "web", "purpose": "targeted_ads", "rank": 8})])) == "consent"
	every worthless in [{"rank": 7}, {"age": 12}, {"months_past": 24}, {"evidence": "null"}, {"method": "silence"}] {
		f.denied_by(f.after(_ads, [_no({}), _yes(worthless)]), "USST-OPT-01")
	}
}

test_partners_are_given_nothing_after_an_opt_out_of_sale if {
	partner := f.given(in_state("US-CO", "email", "partner_marketing"), {"recipient_given": true})
	f.basis(partner) == "none"
	f.denied_by(f.after(partner, [_no({})]), "USST-OPT-01")
	named := f.opt_in({"purpose": "partner_marketing", "recipients": "recipient", "rank": 8})
	f.basis(f.after(partner, [_no({}), named])) == "consent"
	mail := f.given(in_state("US-CO", "email", "marketing"), {"recipient_given": true})
	f.denied_by(f.after(mail, [_no({}), f.opt_in({"rank": 8})]), "USST-OPT-01")
}

_no_machines := {"action": "adm_opt_out", "channel": "web", "purpose": "adm", "rank": 7}

test_profiling_that_matters_can_be_refused if {
	profiling := f.opt_out({"channel": "web", "purpose": "profiling"})
	facts := f.after(in_state("US-VA", "web", "profiling"), [profiling])
	{"USST-OPT-01", "ENG-OPT-01"} - f.denying(facts) == set()
	not "USST-OPT-01" in f.denying(f.given(facts, {"significant_effect": false}))
	free := f.after(in_state("US-UT", "web", "profiling"), [profiling])
	f.denied_by(free, "ENG-OPT-01")
	not "USST-OPT-01" in f.denying(free)
}

test_machines_decide_unless_refused if {
	facts := f.after(in_state("US-VA", "web", "adm"), [_no_machines])
	f.denied_by(facts, "USST-OPT-01")
	f.verdict(facts).acts == [0]
	"adm_notice" in f.obliged(in_state("US-VA", "web", "adm"))
	f.basis(f.given(facts, {"significant_effect": false})) == "none"
	again := f.opt_in({"channel": "web", "purpose": "adm", "rank": 8})
	passed := f.after(in_state("US-VA", "web", "adm"), [_no_machines, again])
	f.basis(passed) == "consent"
	"USST-OPT-01" in f.named(passed)
}

test_a_revocation_is_named_where_a_state_gives_it_days if {
	acts := [f.opt_in({"channel": "web", "purpose": "profiling"}), f.opt_out({"channel": "web", "purpose": "profiling"})]
	"USST-REV-01" in f.named(f.after(in_state("US-CT", "web", "profiling"), acts))
	not "USST-REV-01" in f.named(f.after(in_state("US-VA", "web", "profiling"), acts))
	not "USST-REV-01" in f.named(f.after(in_state("US-CT", "web", "profiling"), [acts[1]]))
}

test_the_erased_are_left_alone_until_they_come_back if {
	mail := in_state("US-TX", "email", "marketing")
	erased := {"action": "erased", "channel": "any", "purpose": "any", "rank": 3}
	f.denied_by(f.after(mail, [erased]), "ENG-OPT-01")
	f.denied_by(f.flagged(mail, {"erased": true}), "ENG-OPT-01")
	f.basis(f.after(mail, [erased, f.opt_in({})])) == "consent"
	f.basis(f.after(_ads, [erased, _yes({})])) == "consent"
	f.denied_by(f.flagged(mail, {"suppressed": true}), "ENG-OPT-01")
	f.basis(f.flagged(f.after(mail, [f.opt_in({})]), {"suppressed": true, "suppressed_rank": 4})) == "consent"
}

test_an_opt_out_of_sale_ends_what_hands_data_on_whatever_its_channel if {
	every place in ["US-CA", "US-VA", "US-NY", "US-IA"] {
		partner := f.given(in_state(place, "email", "partner_marketing"), {"recipient_given": true})
		f.basis(partner) == "none"
		every no in [{"purpose": "sale_share"}, {"purpose": "marketing", "scope": "sale_share"}] {
			f.denied_by(f.after(partner, [_no(object.union({"action": "opt_out"}, no))]), "ENG-OPT-01")
		}
		own := in_state(place, "email", "partner_marketing")
		f.basis(f.after(own, [_no({"action": "opt_out"})])) == "none"
	}
	uploaded := f.given(in_state("US-VA", "email", "marketing"), {"custom_audience_upload": true})
	written_to := f.opt_in({"rank": 9})
	f.denied_by(f.after(uploaded, [_no({"action": "opt_out"}), written_to]), "USST-OPT-01")
	f.basis(f.after(in_state("US-VA", "email", "marketing"), [_no({"action": "opt_out"}), written_to])) == "consent"
}

test_a_complaint_that_ends_it_is_named if {
	every place in ["US-CA", "US-VA"] {
		ads := in_state(place, "web", "targeted_ads")
		f.denied_by(f.after(ads, [_no({"action": "complaint"})]), "ENG-COMPL-01")
		not "ENG-COMPL-01" in f.named(f.after(ads, [_no({})]))
	}
}
