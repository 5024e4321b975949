package volens.engine_test

import data.volens.fixtures_test as f

_mail := f.germany("email", "marketing")

_text := f.germany("sms", "marketing")

_sms_opt_in := f.opt_in({"channel": "sms", "method": "act"})

test_a_tie_refuses_and_is_named if {
	facts := f.after(_mail, [f.opt_in({}), f.opt_out({"rank": 5})])
	f.denied_by(facts, "ENG-OPT-01")
	"ENG-CONF-01" in f.named(facts)
	"ENG-CONF-01" in f.named(f.after(_mail, [f.opt_in({}), f.opt_out({"channel": "any"})]))
	"ENG-CONF-01" in f.named(f.after(_mail, [f.opt_in({}), f.opt_out({"purpose": "any"})]))
	"ENG-CONF-01" in f.named(f.after(f.california("web", "sale_share"), [
		object.remove(f.opt_in({"action": "opt_in_sale", "channel": "web"}), ["purpose"]),
		f.opt_out({"action": "opt_out_sale", "channel": "web", "purpose": "sale_share"}),
	]))
}

test_a_global_refusal_covers_everything if {
	every change in [
		{"channel": "any"},
		{"channel": "sms", "scope": "global"},
		{"channel": "sms", "scope": "unspecified"},
		{"channel": "sms", "scope": "other"},
		{"brand": "other"},
		{"address": "other"},
	] {
		facts := f.after(_mail, [f.opt_in({}), f.opt_out(change)])
		f.denied_by(facts, "ENG-OPT-01")
		"ENG-SCOPE-01" in f.named(facts)
	}
}

test_a_refusal_of_another_channel_is_named_and_no_more if {
	facts := f.after(_mail, [f.opt_in({}), f.opt_out({"channel": "sms"})])
	f.basis(facts) == "consent"
	"ENG-SCOPE-01" in f.named(facts)
}

_refused(asked, change) := f.denied_by(
	f.given(f.after(f.germany("email", asked), [f.opt_in({"purpose": asked}), f.opt_out(change)]), {"profiled": true}),
	"ENG-OPT-01",
)

test_what_a_refusal_reaches if {
	every asked in ["marketing", "partner_marketing", "fundraising", "survey", "reconsent", "sensitive_use"] {
		_refused(asked, {})
		_refused(asked, {"purpose": "any"})
	}
	_refused("marketing", {"purpose": "collection"})
	_refused("survey", {"purpose": "survey"})
	_refused("marketing", {"purpose": "profiling", "channel": "sms"})
	_refused("marketing", {"scope": "profiling_only"})
	_refused("targeted_ads", {"scope": "sale_share", "channel": "web"})
	_refused("sale_share", {"purpose": "targeted_ads", "channel": "web"})
	_refused("personalization", {"action": "object", "channel": "sms"})
	_refused("profiling", {"action": "gpc", "channel": "web", "purpose": "sale_share"})
	_refused("sale_share", {"action": "opt_out_sale", "channel": "web", "purpose": "sale_share"})
	_refused("sensitive_use", {"action": "limit", "channel": "web", "purpose": "sensitive_use"})
	_refused("marketing", {"action": "declined_opt_in"})
	not _refused("marketing", {"action": "declined_opt_in", "channel": "sms"})
	not _refused("survey", {"purpose": "reconsent"})
	_refused("adm", {"purpose": "any"})
}

test_a_refusal_without_a_purpose_is_of_marketing if {
	facts := f.after(_mail, [f.opt_in({}), object.remove(f.opt_out({}), ["purpose"])])
	f.denied_by(facts, "ENG-OPT-01")
	f.basis(f.after(
		f.germany("email", "service"),
		[object.remove(f.opt_out({"channel": "any"}), ["purpose"])],
	)) == "contract"
}

test_only_all_reaches_the_service_path if {
	f.denied_by(f.after(f.germany("email", "service"), [f.opt_out({"purpose": "any"})]), "ENG-OPT-01")
	f.denied_by(f.after(f.germany("email", "service"), [f.opt_out({"purpose": "service"})]), "ENG-OPT-01")
	f.basis(f.after(f.germany("email", "legal_notice"), [f.opt_out({"purpose": "any"})])) == "legal_obligation"
}

test_necessary_uses_go_on if {
	use := f.given(
		f.after(f.california("in_app", "sensitive_use"), [f.opt_out({"channel": "any"})]),
		{"use": "fraud_prevention"},
	)
	f.basis(use) == "none"
	objected := f.given(
		f.after(f.california("in_app", "sensitive_use"), [f.opt_out({"action": "object", "channel": "any"})]),
		{"use": "security"},
	)
	f.basis(objected) == "none"
}

test_whatever_hands_data_on_is_a_sale if {
	facts := f.given(
		f.after(
			f.germany("email", "partner_marketing"),
			[f.opt_in({"purpose": "partner_marketing", "recipients": "recipient"})],
		),
		{"recipient_given": true},
	)
	f.basis(facts) == "consent"
	sold := object.union(facts, {"acts": array.concat(facts.acts, [f.opt_out({"purpose": "sale_share"})])})
	f.denied_by(sold, "ENG-OPT-01")
}

test_a_refusal_of_sale_leaves_own_mail_alone if {
	f.basis(f.after(_mail, [f.opt_in({}), f.opt_out({"purpose": "sale_share"})])) == "consent"
}

test_records_speak_for_the_flag if {
	objection := f.opt_out({"action": "object", "channel": "any", "rank": 3})
	f.basis(f.flagged(f.after(_mail, [objection, f.opt_in({})]), {"objected": true})) == "consent"
	f.denied_by(f.flagged(f.after(_mail, [f.opt_in({})]), {"objected": true}), "ENG-OPT-01")
}

test_the_future_is_named if "ENG-TIME-01" in f.named(f.after(_mail, [f.opt_out({"future": true})]))

test_a_queue_is_checked_again if "ENG-GRACE-01" in f.named(f.given(_mail, {"approved_earlier": true}))

test_movers_and_travellers_are_named if {
	"ENG-MOVE-01" in f.named(f.placed(_mail, {"previous": "US-CA"}))
	every places in [{"location": "US-CA"}, {"also": "US-CA"}, {"employer": "US-CA"}, {"sender": "US"}] {
		"ENG-MULTI-01" in f.named(f.placed(_mail, places))
	}
	not "ENG-MULTI-01" in f.named(f.placed(_mail, {"sender": "DE", "location": "DE"}))
}

test_places_without_rules_deny_everything if {
	every purpose in ["marketing", "service", "legal_notice"] {
		facts := f.placed(f.germany("email", purpose), {"residence": "FR"})
		f.denied_by(facts, "ENG-DENY-01") with data.volens.places.FR.implemented as false
	}
	travelling := f.placed(f.germany("email", "legal_notice"), {"location": "FR"})
	f.denied_by(travelling, "ENG-DENY-01") with data.volens.places.FR.implemented as false
	f.basis(f.placed(f.germany("email", "service"), {"residence": "DE-BY"})) == "contract"
}

test_doubt_about_the_person_denies if {
	f.denied_by(f.flagged(f.germany("email", "legal_notice"), {"merge_unresolved": true}), "ENG-ID-01")
}

test_a_reassigned_number_is_someone_elses if {
	reassigned := f.signalled(_text, {"number_reassigned": true})
	f.denied_by(f.after(reassigned, [_sms_opt_in]), "ENG-ID-01")
	f.denied_by(
		f.after(reassigned, [object.union(_sms_opt_in, {"after_reassignment": true, "method": "unlisted"})]),
		"ENG-ID-01",
	)
	f.basis(f.after(reassigned, [object.union(_sms_opt_in, {"after_reassignment": true})])) == "consent"
	pending := object.union(_sms_opt_in, {"after_reassignment": true, "action": "opt_in_pending"})
	f.basis(f.after(
		f.signalled(f.germany("sms", "doi_confirmation"), {"number_reassigned": true}),
		[pending],
	)) == "legitimate_interest"
	f.basis(f.after(f.signalled(_mail, {"number_reassigned": true}), [f.opt_in({})])) == "consent"
}

test_the_window_opens_on_its_minute_and_closes_on_its_minute if {
	texting := f.after(_text, [_sms_opt_in])
	f.basis(f.at(texting, 5, 540)) == "consent"
	every minute in [480, 1200] {
		late := f.at(texting, 5, minute)
		f.denied_by(late, "ENG-QH-01")
		f.verdict(late).closed_hours
		"retry_after" in f.obliged(late)
	}
	f.denied_by(f.at(texting, 7, 600), "ENG-QH-01")
}

test_own_hours_widen_open_days_only if {
	texting := f.after(_text, [object.union(_sms_opt_in, {"hours_open": true})])
	f.basis(f.at(texting, 5, 1260)) == "consent"
	f.denied_by(f.at(texting, 7, 1260), "ENG-QH-01")
}

test_own_hours_need_a_consent_that_stands if {
	calls := f.germany("phone", "marketing")
	evening := f.opt_in({"channel": "phone", "method": "act", "hours_open": true})
	later := f.opt_in({"channel": "phone", "method": "act", "rank": 9})
	f.basis(f.at(f.after(calls, [evening, later]), 5, 1260)) == "consent"
	f.denied_by(f.at(f.after(calls, [evening, f.opt_out({"channel": "phone"}), later]), 5, 1260), "ENG-QH-01")
	unproven := json.remove(evening, ["/evidence"])
	f.denied_by(f.at(f.after(calls, [unproven, later]), 5, 1260), "ENG-QH-01")
	f.basis(f.at(f.placed(f.after(calls, [evening]), {"residence": "CH"}), 5, 1260)) == "consent"
	texts := f.california("sms", "marketing")
	written := f.opt_in({"channel": "sms", "method": "e_sign"})
	f.basis(f.at(f.after(texts, [object.union(written, {"hours_open": true})]), 5, 1260)) == "consent"
	f.denied_by(f.at(f.after(texts, [written]), 5, 1260), "US-TCPA-08")
}

test_the_hour_is_reported_when_all_else_allows if {
	not "ENG-QH-01" in f.named(f.at(_text, 5, 0))
	"ENG-QH-01" in f.named(f.at(_text, 5, 600))
	not f.verdict(f.at(_text, 5, 0)).closed_hours
}

test_it_must_be_open_wherever_the_recipient_may_be if {
	here := [{"weekday": 5, "minute": 600, "holiday": false}, {"weekday": 5, "minute": 480, "holiday": false}]
	f.denied_by(object.union(f.after(_text, [_sms_opt_in]), {"clock": {"local": here}}), "ENG-QH-01")
}

test_without_a_zone_no_hour_is_right_and_none_will_come if {
	facts := f.after(json.remove(_text, ["/clock/local"]), [_sms_opt_in])
	f.denied_by(facts, "ENG-QH-01")
	not f.verdict(facts).closed_hours
	not "retry_after" in f.obliged(facts)
}

test_one_confirmation_per_medium if {
	texted := f.after(f.germany("sms", "optout_confirmation"), [f.opt_out({"channel": "sms"})])
	f.basis(f.given(texted, {"prior_confirmation_mails": 1})) == "none"
	not f.verdict(f.given(texted, {"prior_confirmation_texts": 1})).allow
	mailed := f.germany("email", "optout_confirmation")
	f.basis(f.flagged(mailed, {"objected": true})) == "none"
	f.basis(f.flagged(mailed, {"suppressed": true})) == "none"
	not f.verdict(f.given(f.flagged(mailed, {"objected": true}), {"prior_confirmation_mails": 2})).allow
}
