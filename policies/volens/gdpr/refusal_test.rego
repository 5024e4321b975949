package volens.gdpr_refusal_test

import data.volens.fixtures_test as f

_mail := f.germany("email", "marketing")

_ads := f.germany("ads", "targeted_ads")

_ads_opt_in(rank) := f.opt_in({"channel": "ads", "purpose": "targeted_ads", "rank": rank})

_declined(changes) := f.opt_out(object.union({"action": "declined_opt_in"}, changes))

_object(changes) := f.opt_out(object.union({"action": "object", "channel": "any"}, changes))

test_a_withdrawal_ends_the_consent if {
	facts := f.after(_mail, [f.opt_in({}), f.opt_out({})])
	{"ENG-OPT-01", "EU-CON-06", "EU-OBJ-01"} - f.denying(facts) == set()
	f.verdict(facts).acts == [1]
}

test_a_later_consent_opens_again_and_a_tie_does_not if {
	f.basis(f.after(_mail, [f.opt_out({}), f.opt_in({"rank": 8})])) == "consent"
	f.denied_by(f.after(_mail, [f.opt_out({}), f.opt_in({"rank": 7})]), "ENG-OPT-01")
}

test_an_objection_is_absolute if {
	post := f.given(f.germany("post", "marketing"), {"lia_on_file": true})
	f.basis(post) == "legitimate_interest"
	f.denied_by(f.after(post, [_object({})]), "EU-OBJ-01")
	f.denied_by(f.flagged(post, {"objected": true}), "EU-OBJ-01")
}

test_an_objection_on_grounds_rests_the_processing if {
	facts := f.given(f.germany("in_app", "personalization"), {"lia_on_file": true})
	f.denied_by(f.after(facts, [_object({"purpose": "profiling", "ground": "21(1)"})]), "EU-OBJ-03")
	f.denied_by(f.after(f.germany("in_app", "sensitive_use"), [_object({})]), "EU-OBJ-01")
}

test_a_complaint_is_an_objection if {
	f.denied_by(f.after(_mail, [f.opt_in({}), f.opt_out({"action": "complaint"})]), "ENG-COMPL-01")
}

test_an_opt_out_of_automated_decisions_is_a_refusal if {
	adm := f.given(
		f.germany("in_app", "adm"),
		{"necessary_for_contract": true, "safeguards": ["human_intervention", "representations", "contest", "explanation"]},
	)
	f.basis(adm) == "contract"
	f.denied_by(f.after(adm, [f.opt_out({"action": "adm_opt_out", "channel": "in_app", "purpose": "adm"})]), "EU-CON-06")
}

test_the_browser_objects if {
	facts := f.signalled(f.after(_ads, [_ads_opt_in(5)]), {"gpc": true})
	f.denied_by(facts, "EU-OBJ-02")
	f.denied_by(f.signalled(facts, {"gpc_first_seen": 6}), "EU-OBJ-02")
	f.basis(f.signalled(facts, {"gpc_first_seen": 4})) == "consent"
	f.denied_by(
		f.after(_ads, [_ads_opt_in(5), f.opt_out({"action": "gpc", "channel": "web", "purpose": "sale_share"})]),
		"EU-OBJ-02",
	)
}

test_a_tenant_may_take_the_law_as_it_stands if {
	facts := f.signalled(f.after(_ads, [_ads_opt_in(5)]), {"gpc": true})
	f.basis(f.given(facts, {"policy": {"honour_gpc_everywhere": false}})) == "consent"
}

test_asking_for_consent_is_marketing if f.denied_by(f.germany("email", "reconsent"), "EU-CON-15")

test_profiling_rests_while_an_objection_to_it_is_pending if {
	facts := f.given(f.germany("in_app", "personalization"), {"lia_on_file": true})
	f.denied_by(f.after(facts, [_object({"purpose": "profiling"})]), "EU-OBJ-03")
	not f.denied_by(f.after(facts, [_object({})]), "EU-OBJ-03")
}

test_an_objection_reaches_uses_that_are_no_message if {
	use := f.after(f.germany("in_app", "sensitive_use"), [f.opt_in({"channel": "in_app", "purpose": "sensitive_use"})])
	f.basis(use) == "consent"
	f.denied_by(f.after(use, array.concat(use.acts, [_object({"channel": "email"})])), "EU-OBJ-01")
}

test_declining_answers_the_same_question_and_no_other if {
	f.denied_by(f.after(f.germany("email", "reconsent"), [f.opt_in({}), _declined({})]), "ENG-OPT-01")
	f.denied_by(f.after(_mail, [f.opt_in({}), _declined({"purpose": "any"})]), "ENG-OPT-01")
	f.basis(f.after(_mail, [f.opt_in({}), _declined({"purpose": "survey"})])) == "consent"
	f.basis(f.after(f.germany("email", "service"), [_declined({"purpose": "any"})])) == "contract"
}

test_what_was_passed_is_named_on_a_permit if {
	"EU-OBJ-01" in f.named(f.after(_mail, [f.opt_in({}), _object({"purpose": "profiling"})]))
	suppressed := f.flagged(f.after(_mail, [f.opt_in({})]), {"suppressed": true, "suppressed_rank": 4})
	f.basis(suppressed) == "consent"
	"EU-SUP-01" in f.named(suppressed)
	platform := f.given(f.after(_ads, [_ads_opt_in(5)]), {"online_platform": true})
	f.basis(platform) == "consent"
	"EU-PRO-02" in f.named(platform)
}

test_who_objected_is_not_asked_to_confirm if {
	pending := f.opt_in({"action": "opt_in_pending", "method": "act"})
	asked := f.after(f.germany("email", "doi_confirmation"), [pending])
	f.basis(asked) == "legitimate_interest"
	f.denied_by(f.flagged(asked, {"objected": true}), "EU-OBJ-01")
}

test_a_refusal_of_profiling_has_no_channel if {
	every action in ["object", "opt_out", "complaint"] {
		every purpose in ["profiling", "personalization", "targeted_ads"] {
			refusal := f.opt_out({"action": action, "purpose": "profiling", "channel": "email"})
			agreed := f.opt_in({"channel": "web", "purpose": purpose, "method": "act"})
			f.denied_by(f.after(f.germany("web", purpose), [agreed, refusal]), "ENG-OPT-01")
		}
	}
}
