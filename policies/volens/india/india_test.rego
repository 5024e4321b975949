package volens.india_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "IN"})

_reformed(facts) := f.on(facts, "2027-05-13")

_opt_in(changes) := f.opt_in(object.union({"method": "act"}, changes))

_mail := _asked("email", "marketing")

_text := _asked("sms", "marketing")

test_until_the_reform_mail_calls_and_texts_are_free_until_refused if {
	every channel in ["email", "sms", "phone"] {
		facts := _asked(channel, "marketing")
		f.basis(facts) == "none"
		f.basis(f.after(facts, [_opt_in({"channel": channel})])) == "consent"
		f.denied_by(f.after(facts, [f.opt_out({"channel": channel})]), "ENG-OPT-01")
	}
	every channel in ["phone_auto", "messaging_app", "post", "push"] {
		f.denied_by(_asked(channel, "marketing"), "ENG-DENY-01")
		f.basis(f.after(_asked(channel, "marketing"), [_opt_in({"channel": channel})])) == "consent"
	}
}

test_until_the_reform_uses_without_a_row_are_free if {
	every purpose in ["personalization", "profiling", "analytics", "targeted_ads", "sale_share", "fip_enrolment", "adm"] {
		f.basis(_asked("web", purpose)) == "none"
		f.denied_by(_reformed(_asked("web", purpose)), "IN-DPDP-01")
		f.basis(_reformed(f.after(_asked("web", purpose), [_opt_in({"channel": "web", "purpose": purpose})]))) == "consent"
	}
	f.denied_by(_asked("web", "sensitive_use"), "ENG-DENY-01")
}

test_from_the_reform_on_consent_is_needed if {
	f.denied_by(_reformed(_mail), "IN-DPDP-01")
	agreed := _reformed(f.after(_mail, [_opt_in({})]))
	f.basis(agreed) == "consent"
	"IN-DPDP-01" in f.named(agreed)
	f.denied_by(_reformed(f.after(_mail, [object.remove(_opt_in({}), ["notice"])])), "IN-DPDP-01")
	f.denied_by(_reformed(f.after(_mail, [_opt_in({}), f.opt_out({})])), "IN-DPDP-01")
	f.basis(_reformed(_asked("email", "service"))) == "contract"
}

test_a_tenant_may_bring_the_reform_forward if {
	f.denied_by(object.union(_mail, {"overlay": {"early": ["IN-DPDP"]}}), "IN-DPDP-01")
}

test_from_the_reform_on_whoever_is_under_age_needs_a_parent if {
	child := _reformed(f.of(_mail, {"age": 17}))
	f.denied_by(f.after(child, [_opt_in({"age": 17})]), "IN-DPDP-02")
	agreed := f.after(child, [f.parental_consent({})])
	f.basis(agreed) == "consent"
	"IN-DPDP-02" in f.named(agreed)
	f.denied_by(_reformed(f.after(_mail, [_opt_in({"age": 17})])), "IN-DPDP-02")
}

test_no_parent_can_consent_to_tracking if {
	every purpose in ["targeted_ads", "profiling", "personalization", "analytics", "email_tracking"] {
		child := f.of(_asked("web", purpose), {"age": 17})
		f.denied_by(_reformed(f.after(child, [f.parental_consent({})])), "IN-DPDP-02")
		f.basis(child) == "none"
	}
	mail := _reformed(f.after(f.of(_mail, {"age": 17}), [f.parental_consent({})]))
	f.denied_by(f.given(mail, {"profiled": true}), "IN-DPDP-02")
	f.denied_by(f.given(mail, {"custom_audience_upload": true}), "IN-DPDP-02")
}

test_until_the_reform_children_below_thirteen_need_a_parent if {
	f.denied_by(f.of(_mail, {"age": 12}), "ENG-DENY-01")
	f.denied_by(f.of(_asked("web", "profiling"), {"age": 12}), "ENG-DENY-01")
	f.basis(f.after(f.of(_mail, {"age": 12}), [f.parental_consent({})])) == "consent"
	f.basis(f.of(_mail, {"age": 13})) == "none"
}

test_a_preference_is_beaten_by_registered_consent_alone if {
	every channel in ["sms", "phone"] {
		facts := f.signalled(_asked(channel, "marketing"), {"dnd_registered": true})
		f.denied_by(facts, "IN-TRAI-01")
		f.denied_by(f.after(facts, [_opt_in({"channel": channel})]), "IN-TRAI-01")
		registered := f.after(facts, [_opt_in({"channel": channel, "method": "dlt"})])
		f.basis(registered) == "consent"
		"IN-TRAI-01" in f.named(registered)
	}
	f.denied_by(f.after(_text, [{"action": "dnc_listed", "channel": "phone", "rank": 3}]), "IN-TRAI-01")
	f.basis(f.signalled(_mail, {"dnd_registered": true})) == "none"
	f.basis(f.signalled(_asked("sms", "service"), {"dnd_registered": true})) == "contract"
}

test_calls_and_texts_are_by_day if {
	f.denied_by(f.at(_text, 5, 540), "IN-TRAI-01")
	f.denied_by(f.at(_text, 5, 1260), "ENG-QH-01")
	f.basis(f.at(_text, 7, 1200)) == "none"
}

test_a_registered_consent_that_was_withdrawn_lends_nothing_to_a_later_one if {
	listed := f.signalled(_text, {"dnd_registered": true})
	registered := _opt_in({"channel": "sms", "method": "dlt"})
	plain := _opt_in({"channel": "sms", "rank": 9})
	f.basis(f.after(listed, [registered, plain])) == "consent"
	f.denied_by(f.after(listed, [registered, f.opt_out({"channel": "sms"}), plain]), "IN-TRAI-01")
	f.denied_by(f.after(listed, [registered, {"action": "erased", "channel": "any", "rank": 7}, plain]), "IN-TRAI-01")
	suppressed := f.flagged(listed, {"suppressed": true, "suppressed_rank": 7})
	f.denied_by(f.after(suppressed, [registered, plain]), "IN-TRAI-01")
}

test_a_parent_s_consent_goes_stale if {
	child := f.of(_mail, {"age": 8})
	f.basis(f.after(child, [f.parental_consent({})])) == "consent"
	f.denied_by(f.after(child, [f.parental_consent({"months_past": 24})]), "ENG-DENY-01")
}
