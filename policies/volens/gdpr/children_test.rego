package volens.gdpr_children_test

import data.volens.fixtures_test as f

_mail := f.germany("email", "marketing")

_child := f.of(_mail, {"age": 15})

_own := f.opt_in({"age": 15})

test_at_sixteen_one_consents_alone_in_germany if {
	facts := f.after(f.of(_mail, {"age": 16}), [f.opt_in({"age": 16})])
	f.basis(facts) == "consent"
	"EU-CON-08" in f.named(facts)
}

test_a_birthday_cures_nothing if f.denied_by(f.after(f.of(_mail, {"age": 16}), [_own]), "EU-CON-08")

test_outside_online_services_the_age_is_no_matter if {
	f.basis(f.given(f.after(_child, [_own]), {"information_society_service": false})) == "consent"
}

test_a_parent_may_name_the_purpose if {
	f.basis(f.after(_child, [f.parental_consent({"purpose": "marketing"})])) == "consent"
}

test_a_parent_consents if {
	facts := f.after(_child, [f.parental_consent({})])
	f.basis(facts) == "consent"
	"inform_child_withdrawal_right" in f.obliged(facts)
}

test_a_parent_authorises if {
	facts := f.after(_child, [_own, object.remove(f.parental_consent({}), ["notice"])])
	f.basis(facts) == "consent"
	"inform_child_withdrawal_right" in f.obliged(facts)
}

test_a_grown_up_has_no_parents_to_consent if {
	adult := f.of(_mail, {"age": 18})
	not f.verdict(f.after(adult, [f.parental_consent({"age": 18})])).allow
	not f.verdict(f.after(adult, [f.parental_consent({})])).allow
	f.basis(f.after(adult, [f.parental_consent({"age": 15})])) == "consent"
}

test_an_unproven_parent_authorises_nothing if {
	every change in [
		{"evidence": "null"},
		{"method": "unlisted"},
		{"expired": true},
		{"person": "other"},
		{"controllers": "others"},
		{"dark_pattern": true},
		{"channel": "sms"},
		{"purpose": "survey"},
	] {
		f.denied_by(f.after(_child, [_own, f.parental_consent(change)]), "EU-CON-08")
	}
}

test_consent_to_collection_never_covers_disclosure if {
	ads := f.of(f.germany("ads", "targeted_ads"), {"age": 15})
	not f.verdict(f.after(ads, [f.parental_consent({"purpose": "collection"})])).allow
	not f.verdict(f.after(ads, [f.parental_consent({"scope": "collection_only"})])).allow
	f.basis(f.after(ads, [f.parental_consent({})])) == "consent"
	f.basis(f.after(_child, [f.parental_consent({"purpose": "collection"})])) == "consent"
}

test_signs_of_a_child_count_where_the_age_is_unknown if {
	opt_in := object.remove(f.opt_in({}), ["age"])
	f.denied_by(f.after(f.of_unknown_age(_mail, {"age_signals": "other"}), [opt_in]), "EU-CON-08")
	f.denied_by(f.given(f.after(f.of_unknown_age(_mail, {}), [opt_in]), {"child_directed": true}), "EU-CON-08")
	f.basis(f.after(f.of_unknown_age(_mail, {}), [opt_in])) == "consent"
	f.basis(f.given(f.after(_mail, [f.opt_in({})]), {"child_directed": true})) == "consent"
}

test_without_a_state_the_general_age_rules if {
	facts := f.after(f.of(f.from_europe("email", "marketing"), {"age": 15}), [_own])
	f.denied_by(facts, "EU-CON-08")
}

test_a_refusal_ends_what_the_parent_authorised if {
	again := object.union(_own, {"rank": 9})
	refused := f.after(_child, [f.parental_consent({}), f.opt_out({}), again])
	f.denied_by(refused, "ENG-OPT-01")
	"EU-CON-08" in f.named(refused)
	f.basis(f.after(_child, [f.opt_out({}), f.parental_consent({"rank": 8}), again])) == "consent"
}

test_a_parent_s_consent_to_collection_names_no_partner if {
	every place in ["AT", "GB", "CH", "ZZ"] {
		child := f.of(f.placed(f.germany("email", "partner_marketing"), {"residence": place}), {"age": 8})
		every change in [{"purpose": "collection"}, {"scope": "collection_only"}] {
			f.verdict(f.after(child, [f.parental_consent(change)])).allow == false
		}
		some own in [f.of(f.placed(f.germany("email", "marketing"), {"residence": place}), {"age": 8})]
		f.basis(f.after(own, [f.parental_consent({"purpose": "collection"})])) == "consent"
	}
}
