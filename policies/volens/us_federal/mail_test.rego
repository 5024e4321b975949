package volens.us_federal_mail_test

import data.volens.fixtures_test as f

_mail := f.california("email", "marketing")

_opt_in(changes) := f.opt_in(object.union({"method": "act"}, changes))

test_mail_is_free_until_refused if {
	f.basis(_mail) == "none"
	"postal_address" in f.obliged(_mail)
	f.denied_by(f.after(_mail, [f.opt_out({})]), "US-CAN-01")
	f.denied_by(f.after(_mail, [f.opt_out({"action": "complaint"})]), "ENG-COMPL-01")
	f.denied_by(f.flagged(_mail, {"objected": true}), "US-CAN-01")
	f.basis(f.after(_mail, [_opt_in({})])) == "consent"
}

test_consent_opens_again_and_a_purchase_does_not if {
	opened := f.after(_mail, [f.opt_out({}), _opt_in({"rank": 8})])
	f.basis(opened) == "consent"
	"US-CAN-04" in f.named(opened)
	bought := f.after(_mail, [f.opt_out({}), f.purchase({"rank": 8})])
	f.denied_by(bought, "US-CAN-01")
	"US-CAN-04" in f.named(bought)
}

test_a_wireless_domain_asks_for_consent if {
	facts := f.given(_mail, {"wireless_domain": true})
	f.denied_by(facts, "US-CAN-05")
	f.basis(f.after(facts, [_opt_in({})])) == "consent"
}

test_mail_shows_sender_address_and_way_out if {
	every defect in ["postal_address_present", "optout_in_message", "sender_identified"] {
		f.denied_by(f.given(_mail, {defect: false}), "US-CAN-02")
	}
	f.denied_by(f.given(f.california("email", "service"), {"sender_identified": false}), "US-CAN-02")
}

test_transactional_mail_is_exempt_and_mixed_mail_is_not if {
	service := f.after(f.california("email", "service"), [f.opt_out({})])
	f.basis(service) == "contract"
	"US-CAN-03" in f.named(service)
	f.denied_by(f.given(service, {"content": "mixed"}), "US-CAN-01")
	"US-CAN-03" in f.named(f.given(service, {"content": "mixed"}))
}

_wireless(acts) := f.given(f.after(_mail, acts), {"wireless_domain": true})

test_a_worthless_opt_in_is_no_consent if {
	every change in [
		{"future": true}, {"expired": true}, {"person": "other"}, {"address": "other"}, {"brand": "other"},
		{"unbundled": false}, {"method": "silence"}, {"dark_pattern": true}, {"evidence": "null"}, {"age": 12},
		{"channel": "any"}, {"purpose": "any"}, {"controllers": "others"}, {"months_past": 24},
		{"notice": {"version": true, "material_change": true}},
	] {
		f.denied_by(_wireless([_opt_in(change)]), "US-CAN-05")
	}
	"ENG-ID-01" in f.denying(_wireless([_opt_in({"address": "other"})]))
	f.basis(_wireless([_opt_in({"months_past": 24, "evidence": "pewc"})])) == "consent"
	f.basis(_wireless([_opt_in({"months_past": 24}), f.purchase({})])) == "consent"
	f.basis(f.of(_wireless([_opt_in({"months_past": 24})]), {"interaction": {"months_past": 18}})) == "consent"
	partner := f.given(f.california("email", "partner_marketing"), {"recipient_given": true, "wireless_domain": true})
	not f.verdict(f.after(partner, [_opt_in({"purpose": "partner_marketing"})])).allow
	f.basis(f.after(partner, [_opt_in({"purpose": "partner_marketing", "recipients": "recipient"})])) == "consent"
}

test_an_opt_in_at_an_unknown_age_is_an_adults_unless_signs_say_otherwise if {
	opt_in := object.remove(_opt_in({}), ["age"])
	f.basis(f.of_unknown_age(_wireless([opt_in]), {})) == "consent"
	not f.verdict(f.of_unknown_age(_wireless([opt_in]), {"age_signals": "other"})).allow
}

test_children_need_a_parent if {
	child := f.of(_mail, {"age": 12})
	f.denied_by(child, "US-COPPA-01")
	parent := f.after(child, [f.parental_consent({})])
	f.basis(parent) == "consent"
	"parental_verification" in f.obliged(parent)
	f.denied_by(f.after(child, [f.parental_consent({"evidence": "null"})]), "US-COPPA-01")
	f.basis(f.given(child, {"information_society_service": false})) == "none"
	"US-COPPA-01" in f.named(f.of(_mail, {"age": 17}))
}

test_channels_without_a_row if {
	every channel in ["post", "web", "in_app", "push", "ads"] {
		f.basis(f.california(channel, "marketing")) == "none"
	}
	every channel in ["messaging_app", "social_dm", "fax"] {
		f.denied_by(f.california(channel, "marketing"), "ENG-DENY-01")
		f.basis(f.after(f.california(channel, "marketing"), [_opt_in({"channel": channel})])) == "consent"
		f.denied_by(
			f.given(f.after(f.california(channel, "marketing"), [_opt_in({"channel": channel})]), {"optout_in_message": false}),
			"ENG-DENY-01",
		)
	}
	f.denied_by(f.given(f.california("push", "marketing"), {"sender_identified": false}), "ENG-DENY-01")
}

test_duties_and_confirmations if {
	f.basis(f.california("email", "legal_notice")) == "legal_obligation"
	f.basis(f.after(f.california("email", "optout_confirmation"), [f.opt_out({})])) == "none"
	pending := {"action": "opt_in_pending", "channel": "email", "purpose": "marketing", "rank": 8}
	f.basis(f.after(f.california("email", "doi_confirmation"), [f.opt_out({}), pending])) == "none"
	not f.verdict(f.california("email", "doi_confirmation")).allow
}

test_mail_for_which_sensitive_data_are_used_is_commercial if {
	declared := {"notice_right_to_limit": true, "purpose_disclosed": true}
	use := f.given(f.california("email", "sensitive_use"), declared)
	f.basis(use) == "none"
	every defect in ["optout_in_message", "postal_address_present"] {
		f.denied_by(f.given(use, {defect: false}), "US-CAN-02")
	}
	elsewhere := f.given(f.california("in_app", "sensitive_use"), declared)
	f.basis(f.given(elsewhere, {"optout_in_message": false})) == "none"
}
