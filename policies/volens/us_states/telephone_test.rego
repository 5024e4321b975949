package volens.us_states_telephone_test

import data.volens.fixtures_test as f

_asked(place, channel) := f.after(
	f.placed(f.california(channel, "marketing"), {"residence": place}),
	[f.opt_in({"channel": channel, "method": "e_sign"})],
)

_open(place, channel, weekday, minute) if {
	facts := f.at(_asked(place, channel), weekday, minute)
	f.basis(facts) == "consent"
	"US-STQ-01" in f.named(facts)
}

_shut(place, channel, weekday, minute) if {
	facts := f.at(_asked(place, channel), weekday, minute)
	{"US-STQ-01", "ENG-QH-01"} - f.named(facts) == set()
	f.verdict(facts).closed_hours
}

test_some_states_open_later_and_close_earlier if {
	every channel in ["phone", "phone_auto", "sms"] {
		_shut("US-FL", channel, 5, 1200)
		_open("US-FL", channel, 5, 1020)
		_shut("US-TX", channel, 5, 480)
		_open("US-TX", channel, 7, 720)
		_shut("US-TX", channel, 7, 600)
		_shut("US-CT", channel, 5, 480)
		_shut("US-KY", channel, 5, 540)
		_shut("US-RI", channel, 6, 1020)
		_shut("US-AL", channel, 7, 720)
	}
}

test_where_the_state_is_unknown_the_safe_default_rules if {
	_shut("US", "sms", 5, 480)
	_open("US", "sms", 5, 540)
	_shut("US", "sms", 7, 600)
	_open("US", "sms", 7, 1080)
}

test_others_leave_it_to_the_federation if {
	facts := f.at(_asked("US-NY", "sms"), 7, 480)
	f.basis(facts) == "consent"
	not "US-STQ-01" in f.named(facts)
}

test_texas_let_texts_be_until_september_2025 if {
	early := f.at(f.on(_asked("US-TX", "sms"), "2025-01-15"), 5, 480)
	f.basis(early) == "consent"
	not f.verdict(f.at(f.on(_asked("US-TX", "phone"), "2025-01-15"), 5, 480)).allow
	not f.verdict(f.on(early, "2025-09-01")).allow
}

test_three_solicitations_in_a_day_are_enough if {
	every place in ["US-FL", "US-OK", "US-MD", "US"] {
		thrice := object.union(_asked(place, "phone"), {"attempts": {"h24": 3, "d30": 3}})
		f.denied_by(thrice, "US-STQ-02")
		not f.verdict(thrice).closed_hours
		twice := object.union(_asked(place, "phone"), {"attempts": {"h24": 2, "d30": 5}})
		f.basis(twice) == "consent"
		"US-STQ-02" in f.named(twice)
	}
	f.basis(object.union(_asked("US-TX", "phone"), {"attempts": {"h24": 4, "d30": 4}})) == "consent"
	service := f.given(f.placed(f.california("phone", "service"), {"residence": "US-FL"}), {"exempt_informational": true})
	f.basis(object.union(service, {"attempts": {"h24": 4, "d30": 4}})) == "contract"
}

test_virginia_keeps_refusals_of_calls_and_texts if {
	stop := f.opt_out({"channel": "sms", "method": "keyword"})
	text := f.placed(f.california("sms", "marketing"), {"residence": "US-VA"})
	f.denied_by(f.after(text, [stop]), "US-VA-TEL-01")
	not "US-VA-TEL-01" in f.named(text)
	not "US-VA-TEL-01" in f.named(f.after(f.placed(text, {"residence": "US-NY"}), [stop]))
	mail := f.placed(f.california("email", "marketing"), {"residence": "US-VA"})
	not "US-VA-TEL-01" in f.named(f.after(mail, [f.opt_out({})]))
}
