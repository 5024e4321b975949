package volens.eprivacy_test

import data.volens.fixtures_test as f

_gates := {
	"EU-EPD-01": ["email", "sms", "messaging_app", "social_dm", "fax", "phone_auto"],
	"EU-EPD-04": ["phone"],
	"EU-EPD-06": ["push"],
}

test_each_channel_has_its_rule if {
	every rule, channels in _gates {
		every channel in channels {
			f.denied_by(f.germany(channel, "marketing"), rule)
			facts := f.after(f.germany(channel, "marketing"), [f.opt_in({"channel": channel})])
			f.basis(facts) == "consent"
			rule in f.named(facts)
		}
	}
}

test_a_machine_that_calls_is_no_live_call if {
	every context in [{"automated": true}, {"ai_voice": true}] {
		f.denied_by(f.given(f.germany("phone", "marketing"), context), "EU-EPD-01")
	}
}

test_businesses_are_named if "EU-EPD-05" in f.denying(f.of(f.germany("email", "marketing"), {"b2b": true}))

test_reading_a_device_needs_consent if {
	f.denied_by(f.germany("web", "analytics"), "EU-CON-13")
	"no_tracking_pixel" in f.obliged(f.germany("email", "email_tracking"))
	f.basis(f.after(
		f.germany("web", "analytics"),
		[f.opt_in({"channel": "web", "purpose": "analytics", "method": "cmp"})],
	)) == "consent"
}

test_the_sender_shows_itself_and_the_way_out if {
	mail := f.after(f.germany("email", "marketing"), [f.opt_in({})])
	f.denied_by(f.given(mail, {"optout_in_message": false}), "EU-EPD-03")
	f.denied_by(f.given(mail, {"sender_identified": false}), "EU-EPD-03")
	f.denied_by(f.given(f.germany("email", "service"), {"sender_identified": false}), "EU-EPD-03")
	f.denied_by(f.given(f.germany("email", "doi_confirmation"), {"sender_identified": false}), "EU-EPD-03")
	f.basis(f.given(f.germany("email", "service"), {"optout_in_message": false})) == "contract"
}

test_a_request_to_confirm_has_a_way_out if {
	facts := f.after(f.germany("email", "doi_confirmation"), [{"action": "opt_in_pending", "channel": "email", "rank": 5}])
	f.basis(facts) == "legitimate_interest"
	f.denied_by(f.given(facts, {"optout_in_message": false}), "EU-EPD-03")
	f.denied_by(f.given(f.placed(facts, {"residence": "CH"}), {"optout_in_message": false}), "ENG-DENY-01")
}
