package volens.brazil_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "BR"})

_opt_in(changes) := f.opt_in(object.union({"method": "act"}, changes))

_mail := _asked("email", "marketing")

_expected := {"lia_on_file": true}

test_marketing_needs_consent_or_an_expected_interest if {
	every channel in ["email", "sms", "phone", "post", "in_app", "push"] {
		facts := _asked(channel, "marketing")
		f.denied_by(f.after(facts, [f.purchase({})]), "BR-LGPD-01")
		f.basis(f.after(facts, [_opt_in({"channel": channel})])) == "consent"
		f.basis(f.given(facts, _expected)) == "legitimate_interest"
	}
	"inform_right_to_object" in f.obliged(f.given(_mail, _expected))
}

test_consent_is_informed_proven_and_fresh if {
	f.denied_by(f.after(_mail, [object.remove(_opt_in({}), ["notice"])]), "BR-LGPD-01")
	f.denied_by(f.after(_mail, [object.remove(_opt_in({}), ["evidence"])]), "BR-LGPD-01")
	f.denied_by(f.after(_mail, [_opt_in({"months_past": 24})]), "ENG-STALE-01")
}

test_an_interest_is_in_ones_own_messages_without_sensitive_data if {
	every purpose in ["partner_marketing", "political_ads", "sale_share", "sensitive_use"] {
		f.denied_by(f.given(_asked("email", purpose), _expected), "BR-LGPD-01")
		f.basis(f.after(_asked("email", purpose), [_opt_in({"purpose": purpose})])) == "consent"
	}
	f.denied_by(f.given(_mail, {"lia_on_file": true, "special_category": "health"}), "BR-LGPD-01")
	f.denied_by(f.given(_mail, {"lia_on_file": true, "recipient_given": true}), "BR-LGPD-01")
}

test_uses_without_a_row_need_consent_or_an_interest if {
	every purpose in ["personalization", "profiling", "analytics", "email_tracking", "targeted_ads", "fip_enrolment"] {
		facts := _asked("web", purpose)
		f.denied_by(facts, "BR-LGPD-01")
		f.basis(f.given(facts, _expected)) == "legitimate_interest"
		f.basis(f.after(facts, [_opt_in({"channel": "web", "purpose": purpose})])) == "consent"
	}
}

test_machines_decide_on_consent_contract_or_interest if {
	facts := _asked("web", "adm")
	f.denied_by(facts, "BR-LGPD-01")
	f.basis(f.given(facts, _expected)) == "legitimate_interest"
	f.basis(f.given(facts, {"necessary_for_contract": true})) == "contract"
	f.basis(f.after(facts, [_opt_in({"channel": "web", "purpose": "adm"})])) == "consent"
}

test_opposition_and_erasure_end_it if {
	f.denied_by(f.given(f.after(_mail, [f.opt_out({"action": "object"})]), _expected), "BR-LGPD-01")
	f.denied_by(f.given(f.flagged(_mail, {"erased": true}), _expected), "BR-LGPD-01")
	f.basis(f.after(_mail, [f.opt_out({}), _opt_in({"rank": 8})])) == "consent"
}

test_children_below_twelve_need_a_parent if {
	child := f.of(_mail, {"age": 11})
	f.denied_by(f.given(child, _expected), "BR-LGPD-03")
	f.denied_by(f.after(child, [_opt_in({"age": 11})]), "BR-LGPD-03")
	agreed := f.after(child, [f.parental_consent({})])
	f.basis(agreed) == "consent"
	"BR-LGPD-03" in f.named(agreed)
	f.denied_by(f.after(f.of(_mail, {"age": 12}), [_opt_in({"age": 11})]), "BR-LGPD-03")
	f.basis(f.after(f.of(_mail, {"age": 12}), [_opt_in({"age": 12})])) == "consent"
}

test_minors_are_not_profiled_for_advertising if {
	every purpose in ["targeted_ads", "profiling"] {
		facts := f.after(f.of(_asked("web", purpose), {"age": 17}), [_opt_in({"channel": "web", "purpose": purpose})])
		f.denied_by(facts, "BR-ECA-01")
		f.basis(f.on(facts, "2026-02-05")) == "consent"
	}
	minor := f.given(f.of(_mail, {"age": 17}), _expected)
	f.basis(minor) == "legitimate_interest"
	f.denied_by(f.given(minor, {"profiled": true}), "BR-ECA-01")
	f.denied_by(f.given(minor, {"custom_audience_upload": true}), "BR-ECA-01")
}

test_calls_and_texts_keep_the_default_hours if {
	facts := f.given(_asked("phone", "marketing"), _expected)
	f.denied_by(f.at(facts, 7, 600), "ENG-QH-01")
	f.basis(f.at(facts, 6, 600)) == "legitimate_interest"
}

test_a_parent_s_stale_consent_leaves_the_child_unattended if {
	mail := f.placed(f.germany("email", "marketing"), {"residence": "BR"})
	child := f.given(f.of(mail, {"age": 8}), {"lia_on_file": true})
	f.denied_by(f.after(child, [f.parental_consent({"months_past": 24})]), "BR-LGPD-03")
	f.basis(f.after(child, [f.parental_consent({})])) == "consent"
}
