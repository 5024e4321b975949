package volens.us_federal_telephone_test

import data.volens.fixtures_test as f

_text := f.california("sms", "marketing")

_call := f.california("phone", "marketing")

_written(changes) := f.opt_in(object.union({"channel": "sms", "method": "e_sign"}, changes))

_stop(changes) := f.opt_out(object.union({"channel": "sms", "method": "keyword"}, changes))

_informed := f.opt_in({"channel": "sms", "purpose": "service", "method": "act"})

test_texts_and_machines_need_consent_in_writing if {
	f.denied_by(f.after(_text, [_written({"method": "act"})]), "US-TCPA-01")
	facts := f.after(_text, [_written({})])
	f.basis(facts) == "consent"
	{"stop_instructions", "identify_sender"} - f.obliged(facts) == set()
	f.verdict(facts).acts == [0]
	f.basis(f.after(_text, [_written({"method": "act", "evidence": "pewc", "months_past": 36})])) == "consent"
	f.denied_by(f.california("phone_auto", "survey"), "US-TCPA-01")
	f.denied_by(f.given(_call, {"ai_voice": true}), "US-TCPA-01")
	f.basis(f.given(f.after(_call, [_written({"channel": "phone"})]), {"automated": true})) == "consent"
}

test_a_stop_is_definitive if {
	facts := f.after(_text, [_written({}), _stop({})])
	{"US-TCPA-02", "US-TCPA-07", "ENG-OPT-01"} - f.denying(facts) == set()
	not "US-TCPA-04" in f.named(facts)
	"US-TCPA-04" in f.named(f.after(_text, [_written({}), _stop({"method": "withdrawal"})]))
	f.verdict(facts).acts == [1]
}

test_a_stop_to_service_ends_marketing if {
	f.denied_by(f.after(_text, [_written({}), _stop({"purpose": "service"})]), "US-TCPA-03")
	f.basis(f.after(_text, [_stop({"purpose": "service"}), _written({"rank": 8})])) == "consent"
}

test_after_the_waiver_a_stop_to_marketing_ends_service if {
	service := f.after(f.california("sms", "service"), [_informed, _stop({})])
	f.basis(service) == "consent"
	f.denied_by(f.on(service, "2027-02-01"), "US-TCPA-03")
	f.basis(f.on(f.given(service, {"exempt_informational": true}), "2027-02-01")) == "contract"
	called := f.after(
		f.california("phone_auto", "service"),
		[object.union(_informed, {"channel": "phone_auto"}), _stop({})],
	)
	f.denied_by(f.on(called, "2027-02-01"), "US-TCPA-03")
	f.basis(f.on(f.after(f.california("phone", "service"), [_stop({})]), "2027-02-01")) == "contract"
}

test_information_needs_a_number_given_for_it if {
	f.denied_by(f.california("sms", "service"), "US-TCPA-11")
	facts := f.after(f.california("sms", "support"), [_informed])
	f.basis(facts) == "consent"
	{"stop_instructions", "identify_sender", "no_promotional_content"} - f.obliged(facts) == set()
	f.denied_by(f.after(f.california("sms", "support"), [_informed, _stop({"purpose": "service"})]), "US-TCPA-11")
	exempt := f.given(f.california("sms", "security"), {"exempt_informational": true})
	f.basis(exempt) == "contract"
	"US-TCPA-10" in f.named(exempt)
	"US-TCPA-10" in f.named(f.given(exempt, {"content": "mixed"}))
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
	f.basis(f.flagged(f.after(f.california("email", "service"), [agreed]), {"restricted": true})) == "consent"
}

test_listed_numbers_are_not_solicited if {
	f.basis(_call) == "none"
	"dnc_scrub" in f.obliged(_call)
	listed := f.signalled(_call, {"ndnc_listed": true})
	f.denied_by(listed, "US-TCPA-06")
	f.denied_by(
		f.after(_call, [{"action": "dnc_listed", "channel": "phone", "purpose": "marketing", "rank": 1}]),
		"US-TCPA-06",
	)
	f.basis(f.after(listed, [_written({"channel": "phone"})])) == "consent"
	f.denied_by(f.after(listed, [_written({"channel": "phone", "method": "act"})]), "US-TCPA-06")
}

test_an_established_relationship_excuses_for_a_while if {
	listed := f.signalled(_call, {"ndnc_listed": true})
	every change in [{"months_past": 12}, {"action": "inquiry", "months_past": 0}] {
		facts := f.after(listed, [f.purchase(change)])
		f.basis(facts) == "none"
		f.verdict(facts).acts == [0]
	}
	every change in [
		{"months_past": 18},
		{"action": "inquiry", "months_past": 3},
		{"seller": "other"},
		{"future": true},
		{"person": "other"},
	] {
		f.denied_by(f.after(listed, [f.purchase(change)]), "US-TCPA-06")
	}
}

test_not_before_eight_nor_after_nine if {
	every day in [5, 7] {
		f.basis(f.at(_call, day, 480)) == "none"
		f.basis(f.at(_call, day, 1200)) == "none"
		f.denied_by(f.at(_call, day, 0), "US-TCPA-08")
		f.denied_by(f.at(_call, day, 1260), "US-TCPA-08")
	}
	"US-TCPA-08" in f.named(_call)
}

test_a_reassigned_number_is_someone_elses if {
	f.denied_by(f.signalled(f.after(_text, [_written({})]), {"number_reassigned": true}), "US-TCPA-09")
}

test_one_confirmation_within_five_minutes if {
	confirming := f.california("sms", "optout_confirmation")
	facts := f.after(confirming, [_stop({"minutes5": true})])
	f.basis(facts) == "none"
	"US-TCPA-05" in f.named(facts)
	f.denied_by(f.after(confirming, [_stop({})]), "US-TCPA-05")
	f.denied_by(f.given(facts, {"prior_confirmation_texts": 1}), "US-TCPA-05")
	"US-TCPA-05" in f.named(f.given(facts, {"content": "promotional"}))
	not f.verdict(f.given(facts, {"content": "promotional"})).allow
}

test_a_withdrawn_consent_lends_nothing_to_a_later_one if {
	listed := f.signalled(_call, {"ndnc_listed": true})
	written := _written({"channel": "phone"})
	plain := f.opt_in({"channel": "phone", "method": "act", "rank": 9})
	every stop in [{"purpose": "marketing"}, {"purpose": "service"}, {"purpose": "marketing", "rank": 5}] {
		f.denied_by(f.after(listed, [written, _stop(object.union({"channel": "phone"}, stop)), plain]), "US-TCPA-06")
	}
	stop := _stop({"channel": "phone"})
	f.denied_by(f.after(listed, [f.purchase({}), stop, plain]), "US-TCPA-06")
	f.basis(f.after(listed, [written, plain])) == "consent"
	f.basis(f.after(listed, [stop, object.union(written, {"rank": 9})])) == "consent"
	f.basis(f.after(_call, [written, stop, plain])) == "consent"
}

test_consent_to_information_is_given_to_the_sender if {
	service := f.california("sms", "service")
	every someone in [{"controllers": "others"}, {"controllers": "nobody"}, {"method": "list"}] {
		f.denied_by(f.after(service, [object.union(_informed, someone)]), "US-TCPA-11")
	}
	f.basis(f.after(service, [object.union(_informed, {"controllers": "sender"})])) == "consent"
}
