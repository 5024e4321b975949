package volens.gdpr_service_test

import data.volens.fixtures_test as f

_pending := {"action": "opt_in_pending", "channel": "email", "purpose": "marketing", "method": "act", "rank": 5}

test_service_survives_a_marketing_opt_out if {
	facts := f.after(f.germany("email", "service"), [f.opt_out({"channel": "any"})])
	f.basis(facts) == "contract"
	"no_promotional_content" in f.obliged(facts)
}

test_promotion_makes_it_marketing if {
	every context in [
		{"content": "mixed"},
		{"content": "promotional"},
		{"content": "other"},
		{"message": "newsletter"},
		{"marketing_related": true},
	] {
		facts := f.given(f.germany("email", "service"), context)
		f.denied_by(facts, "EU-EPD-01")
		"EU-SVC-02" in f.named(facts)
	}
	"EU-SVC-02" in f.named(f.given(f.germany("email", "marketing"), {"message": "abandoned_basket"}))
	"EU-SVC-02" in f.named(f.germany("email", "survey"))
}

test_duties_are_done_whatever_was_refused if {
	facts := f.flagged(
		f.after(f.germany("email", "legal_notice"), [f.opt_out({"channel": "any", "purpose": "any"})]),
		{"restricted": true, "erased": true, "suppressed": true, "objected": true},
	)
	f.basis(facts) == "legal_obligation"
	"EU-SVC-04" in f.named(f.given(facts, {"notice": "recall"}))
	"EU-SVC-03" in f.named(f.given(facts, {"content": "mixed"}))
	not f.verdict(f.given(facts, {"content": "mixed"})).allow
}

test_safety_data_serve_nothing_else if {
	collected := {"action": "collected", "channel": "email", "purpose": "product_safety", "rank": 1}
	f.denied_by(f.after(f.germany("email", "marketing"), [collected]), "EU-SVC-04")
}

test_one_confirmation_of_a_pending_opt_in if {
	facts := f.after(f.germany("email", "doi_confirmation"), [_pending])
	f.basis(facts) == "legitimate_interest"
	"single_confirmation_only" in f.obliged(facts)
	f.denied_by(f.given(facts, {"prior_confirmation_mails": 1}), "DE-DOI-01")
	f.denied_by(f.germany("email", "doi_confirmation"), "DE-DOI-01")
	f.denied_by(f.after(f.germany("email", "doi_confirmation"), [_pending, f.opt_out({})]), "ENG-OPT-01")
	f.basis(f.after(f.germany("email", "doi_confirmation"), [f.opt_out({"rank": 4}), _pending])) == "legitimate_interest"
}

test_one_confirmation_of_an_opt_out if {
	facts := f.after(f.germany("email", "optout_confirmation"), [f.opt_out({})])
	f.basis(facts) == "none"
	f.denied_by(f.germany("email", "optout_confirmation"), "EU-SVC-03")
}

test_agreed_during_a_restriction if {
	agreed := {
		"action": "consent_during_restriction",
		"channel": "email",
		"purpose": "service",
		"method": "act",
		"evidence": "present",
		"rank": 3,
	}
	f.basis(f.flagged(f.after(f.germany("email", "service"), [agreed]), {"restricted": true})) == "consent"
}

test_a_recall_with_an_offer_was_tried if {
	facts := f.given(f.germany("email", "legal_notice"), {"notice": "recall", "content": "mixed"})
	f.denied_by(facts, "EU-EPD-01")
	{"EU-SVC-02", "EU-SVC-03", "EU-SVC-04"} - f.named(facts) == set()
}

test_nobody_stops_what_must_be_said if {
	every purpose in ["legal_notice", "dsr_response"] {
		stop := f.opt_out({"purpose": purpose})
		sale := f.opt_out({"action": "opt_out_sale", "purpose": "sale_share"})
		f.basis(f.given(f.after(f.germany("email", purpose), [stop, sale]), {"custom_audience_upload": true})) == "legal_obligation"
	}
}
