package volens.engine_keeping_test

import data.volens.fixtures_test as f

_mail := f.germany("email", "marketing")

_service := f.germany("email", "service")

_act(action, rank) := {"action": action, "channel": "any", "purpose": "any", "rank": rank}

_consenting := {
	"action": "consent_during_restriction",
	"channel": "email",
	"purpose": "service",
	"method": "act",
	"evidence": "present",
	"rank": 6,
}

test_restricted_data_are_stored_and_no_more if {
	every facts in [f.flagged(_service, {"restricted": true}), f.after(_service, [_act("restrict", 5)])] {
		f.denied_by(facts, "EU-RES-01")
		"EU-RES-02" in f.named(facts)
	}
	f.denied_by(f.after(f.california("email", "marketing"), [_act("restrict", 5)]), "EU-RES-01")
}

test_a_restriction_is_lifted_when_the_person_was_told if {
	acts := [f.opt_in({"rank": 1}), _act("restrict", 5)]
	lifted := f.after(_mail, array.concat(acts, [_act("unrestrict", 6)]))
	f.basis(lifted) == "consent"
	"EU-RES-03" in f.named(lifted)
	f.denied_by(
		f.after(_mail, array.concat(acts, [object.union(_act("unrestrict", 6), {"informed_subject": false})])),
		"EU-RES-03",
	)
	f.denied_by(f.after(_mail, array.concat(acts, [object.union(_act("unrestrict", 6), {"future": true})])), "EU-RES-01")
	f.denied_by(f.after(_mail, array.concat(acts, [_act("unrestrict", 5)])), "EU-RES-01")
	f.denied_by(f.flagged(lifted, {"restricted": true}), "EU-RES-01")
}

test_what_the_person_agrees_to_meanwhile_is_allowed if {
	facts := f.after(_service, [_act("restrict", 5), _consenting])
	f.basis(facts) == "consent"
	"EU-RES-02" in f.named(facts)
	f.basis(f.flagged(f.after(_service, [_consenting]), {"restricted": true, "restricted_rank": 5})) == "consent"
	every change in [
		{"rank": 5},
		{"channel": "sms"},
		{"purpose": "any"},
		{"method": "unlisted"},
		{"future": true},
		{"expired": true},
	] {
		f.denied_by(f.after(_service, [_act("restrict", 5), object.union(_consenting, change)]), "EU-RES-01")
	}
	marketing := object.union(_consenting, {"purpose": "marketing"})
	f.denied_by(f.after(_mail, [_act("restrict", 5), marketing]), "EU-EPD-01")
}

test_an_erasure_leaves_duties_and_open_orders if {
	pending := f.flagged(_service, {"erasure_pending": true})
	f.denied_by(pending, "EU-ERA-03")
	ordered := f.given(pending, {"open_order": true})
	f.basis(ordered) == "contract"
	{"EU-ERA-02", "EU-ERA-03"} - f.named(ordered) == set()
	f.basis(f.flagged(f.germany("email", "dsr_response"), {"erasure_pending": true})) == "legal_obligation"
	f.denied_by(f.flagged(ordered, {"suppressed": true}), "EU-SUP-01")
}

test_after_it_a_purchase_opens_the_service_path_and_no_more if {
	acts := [_act("erased", 5), f.purchase({"rank": 6})]
	f.basis(f.after(_service, acts)) == "contract"
	f.basis(f.flagged(f.after(_service, acts), {"erased": true, "suppressed": true})) == "contract"
	f.basis(f.flagged(f.given(_service, {"open_order": true}), {"erased": true, "suppressed": true})) == "contract"
	f.basis(f.flagged(f.after(_service, acts), {"suppressed": true})) == "contract"
	f.denied_by(f.after(_mail, acts), "EU-ERA-03")
	f.denied_by(f.after(_service, [f.purchase({}), _act("erased", 5)]), "EU-ERA-03")
	f.denied_by(f.after(_service, [f.purchase({}), _act("erase_request", 5)]), "EU-ERA-03")
}

test_an_earlier_erasure_is_named_and_remembered if {
	facts := f.flagged(f.after(_mail, [f.opt_in({})]), {"previously_erased": true})
	f.basis(facts) == "consent"
	"EU-ERA-03" in f.named(facts)
	"minimal_suppression_entry" in f.obliged(facts)
	"minimal_suppression_entry" in f.obliged(f.after(_mail, [_act("erased", 1), f.opt_in({})]))
}
