package volens.gdpr_test

import data.volens.fixtures_test as f

_mail := f.germany("email", "marketing")

_with(changes) := f.after(_mail, [f.opt_in(changes)])

test_a_complete_consent_permits if f.basis(_with({})) == "consent"

test_nothing_on_file_denies if {
	facts := f.germany("email", "marketing")
	f.denying(facts) == {"EU-EPD-01", "DE-UWG-01", "ENG-DENY-01"}
}

_flaws := {
	"EU-CON-01": [
		{"method": "silence"},
		{"method": "device"},
		{"method": "unlisted"},
		{"method": "cmp"},
		{"dark_pattern": true},
	],
	"EU-CON-02": [{"method": "terms"}, {"method": "banner"}, {"unbundled": false}, {"incentive": true}],
	"EU-CON-03": [{"purpose": "any"}, {"purpose": "survey"}, {"brand": "other"}],
	"EU-CON-04": [{"notice": {"version": true, "shown": false}}],
	"EU-CON-05": [{"evidence": "null"}, {"person": "other"}, {"method": "import", "notice": {"version": false}}],
	"ENG-ID-01": [{"address": "other"}, {"person": "other"}],
	"EU-CON-08": [{"age": 15}],
	"EU-CON-09": [{"notice": {"version": true, "material_change": true}}],
	"EU-CON-10": [{"expires": true, "expired": true}],
	"EU-CON-11": [{"channel": "sms"}, {"channel": "any"}],
	"EU-CON-14": [
		{"controllers": "others"},
		{"controllers": "nobody"},
		{"method": "list"},
		{"method": "list", "controllers": "unasked"},
	],
}

test_every_flaw_denies_by_its_rule if {
	every rule, changes in _flaws {
		every change in changes {
			f.denied_by(_with(change), rule)
		}
	}
}

test_an_import_with_proof_and_text_counts if {
	facts := f.after(f.germany("sms", "marketing"), [f.opt_in({"channel": "sms", "method": "import"})])
	f.basis(facts) == "consent"
}

test_asking_again_rides_on_a_consent_to_marketing if {
	f.basis(f.after(f.germany("email", "reconsent"), [f.opt_in({})])) == "consent"
}

test_a_missing_fact_never_helps if {
	every path in ["method", "evidence", "notice", "purpose"] {
		facts := f.after(_mail, [object.remove(f.opt_in({}), [path])])
		not f.verdict(facts).allow
	}
}

test_what_is_passed_is_named if {
	f.named(_with({
		"several": true,
		"incentive": true,
		"unbundled": true,
		"controllers": "sender",
		"expires": true,
	})) & {"EU-CON-02", "EU-CON-10", "EU-CON-11", "EU-CON-14"} == {"EU-CON-02", "EU-CON-10", "EU-CON-11", "EU-CON-14"}
	"EU-CON-09" in f.named(_with({"notice": {"version": true, "current": false}}))
}

test_an_employee_consents_to_nothing if {
	f.denied_by(f.of(_with({}), {"relationship": "employee"}), "EU-CON-02")
	f.denied_by(f.of(_with({}), {"relationship": "other"}), "EU-CON-02")
}

test_names_given_to_a_form_of_the_sender_itself_are_enough if {
	f.basis(_with({"controllers": "unasked"})) == "consent"
}

test_partner_marketing_names_the_recipient if {
	facts := f.given(f.germany("email", "partner_marketing"), {"recipient_given": true})
	f.basis(f.after(facts, [f.opt_in({"purpose": "partner_marketing", "recipients": "recipient"})])) == "consent"
	f.denied_by(f.after(facts, [f.opt_in({"purpose": "partner_marketing"})]), "EU-CON-14")
}

test_special_categories_need_explicit_consent_about_them if {
	facts := f.given(_with({}), {"special_category": "health"})
	f.denied_by(facts, "EU-CON-07")
	f.denied_by(f.given(_with({"explicit": true}), {"sensitive": "health"}), "EU-CON-07")
	f.basis(f.given(_with({"explicit": true, "covers_category": true}), {"special_category": "health"})) == "consent"
	f.basis(f.given(_with({}), {"sensitive": "precise_geolocation"})) == "consent"
}

test_a_permission_from_the_future_is_none if {
	f.denied_by(_with({"future": true}), "EU-EPD-01")
	"ENG-TIME-01" in f.named(_with({"future": true}))
}

test_a_consent_after_a_refusal_is_fresh if {
	"EU-CON-12" in f.named(f.after(_mail, [f.opt_in({"rank": 9}), f.opt_out({})]))
}

test_what_came_after_a_refusal_and_was_not_enough_is_named if {
	late := f.opt_in({"rank": 9, "evidence": "null"})
	denied := f.after(_mail, [f.opt_in({}), f.opt_out({}), late])
	f.denied_by(denied, "ENG-OPT-01")
	"EU-CON-05" in f.named(denied)
	suppressed := f.flagged(f.after(_mail, [f.opt_in({}), late]), {"suppressed": true, "suppressed_rank": 7})
	f.denied_by(suppressed, "EU-SUP-01")
	"EU-CON-05" in f.named(suppressed)
	unconfirmed := f.after(_mail, [f.opt_in({}), f.opt_out({}), f.opt_in({"rank": 9, "method": "act"})])
	"DE-DOI-01" in f.named(unconfirmed)
	opened := f.after(_mail, [f.opt_out({}), f.opt_in({"rank": 8}), late])
	f.basis(opened) == "consent"
	not "EU-CON-05" in f.named(opened)
}

test_a_consent_of_whoever_had_the_number_before_permits_nothing if {
	every place in ["DE", "BR"] {
		text := f.signalled(f.placed(f.germany("sms", "marketing"), {"residence": place}), {"number_reassigned": true})
		before := f.opt_in({"channel": "sms", "method": "act"})
		since := f.opt_in({"channel": "sms", "method": "act", "rank": 9, "after_reassignment": true})
		f.basis(f.after(text, [before, since])) == "consent"
		f.verdict(f.after(text, [before, since])).acts == [1]
		f.verdict(f.after(text, [before, object.union(since, {"purpose": "survey"})])).allow == false
	}
	f.basis(f.signalled(_with({}), {"number_reassigned": true})) == "consent"
}

test_nor_does_a_sale_to_them if {
	text := f.given(f.placed(f.germany("sms", "marketing"), {"residence": "IE"}), f.similar)
	other := f.opt_in({"channel": "sms", "method": "act", "purpose": "survey", "after_reassignment": true})
	facts := f.after(text, [f.purchase({}), other])
	f.basis(facts) == "soft_opt_in"
	f.verdict(f.signalled(facts, {"number_reassigned": true})).allow == false
}
