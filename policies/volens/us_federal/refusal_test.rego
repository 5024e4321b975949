package volens.us_federal_refusal_test

import data.volens.fixtures_test as f

_text := f.california("sms", "marketing")

_written(changes) := f.opt_in(object.union({"channel": "sms", "method": "e_sign"}, changes))

_stop(changes) := f.opt_out(object.union({"channel": "sms", "method": "keyword"}, changes))

test_a_stop_to_another_matter_is_one_to_marketing_on_its_channel if {
	every matter in ["service", "fundraising"] {
		f.denied_by(f.after(_text, [_written({}), _stop({"purpose": matter})]), "US-TCPA-03")
	}
	f.basis(f.after(_text, [_written({}), _stop({"purpose": "fundraising", "method": "withdrawal"})])) == "consent"
	f.basis(f.after(f.california("phone", "marketing"), [_stop({"purpose": "service"})])) == "none"
	f.basis(f.after(_text, [_written({}), _stop({"channel": "any", "purpose": "profiling"})])) == "consent"
	"US-TCPA-04" in f.named(f.after(_text, [_written({}), _stop({"purpose": "service", "method": "withdrawal"})]))
}

test_after_the_waiver_one_stop_ends_everything_by_text_and_machine if {
	every channel in ["sms", "phone_auto"] {
		acts := [_written({"channel": channel}), _stop({"channel": "phone"})]
		facts := f.after(f.california(channel, "marketing"), acts)
		f.basis(facts) == "consent"
		f.denied_by(f.on(facts, "2027-02-01"), "US-TCPA-03")
	}
	informed := _written({"purpose": "support"})
	support := f.after(f.california("sms", "support"), [informed, _stop({"purpose": "security"})])
	f.denied_by(f.on(support, "2027-02-01"), "US-TCPA-03")
	every stop in [{"channel": "email"}, {"purpose": "analytics"}, {"channel": "phone", "rank": 2}] {
		f.basis(f.on(f.after(_text, [_written({}), _stop(stop)]), "2027-02-01")) == "consent"
	}
}

test_listed_numbers_are_not_texted_either if {
	listed := f.signalled(_text, {"ndnc_listed": true})
	{"US-TCPA-01", "US-TCPA-06"} - f.denying(listed) == set()
	"US-TCPA-06" in f.named(f.after(listed, [_written({})]))
	f.denied_by(f.after(_text, [{"action": "dnc_listed", "channel": "sms", "rank": 1}]), "US-TCPA-06")
}

test_only_a_stop_to_calls_and_texts_is_confirmed_by_text if {
	confirmation := f.california("sms", "optout_confirmation")
	f.basis(f.after(confirmation, [_stop({"minutes5": true})])) == "none"
	f.denied_by(f.after(confirmation, [_stop({"channel": "email", "minutes5": true})]), "US-TCPA-05")
}

test_consent_that_has_faded_is_named if {
	message := f.california("messaging_app", "marketing")
	every change in [{"months_past": 24}, {"expired": true}] {
		faded := f.opt_in(object.union({"channel": "messaging_app"}, change))
		f.denied_by(f.after(message, [faded]), "ENG-STALE-01")
	}
	mail := f.california("email", "marketing")
	f.denied_by(f.after(mail, [f.opt_out({"rank": 2}), f.opt_in({"months_past": 24})]), "ENG-STALE-01")
	not "ENG-STALE-01" in f.named(f.after(mail, [f.opt_in({"months_past": 24})]))
	every change in [{"future": true}, {"method": "silence"}] {
		none := f.opt_in(object.union({"channel": "messaging_app", "months_past": 24}, change))
		not "ENG-STALE-01" in f.named(f.after(message, [none]))
	}
}

test_consent_without_the_notice_is_none if {
	f.denied_by(f.after(_text, [_written({"notice": {"shown": false}})]), "US-TCPA-01")
	f.basis(f.after(_text, [_written({"notice": {"shown": true}})])) == "consent"
}

test_what_a_call_passed_is_named if {
	call := f.california("phone", "marketing")
	"US-TCPA-06" in f.named(call)
	moved := f.signalled(_text, {"number_reassigned": true})
	passed := f.after(moved, [_written({"after_reassignment": true})])
	f.basis(passed) == "consent"
	"US-TCPA-09" in f.named(passed)
}
