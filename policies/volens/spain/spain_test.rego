package volens.spain_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "ES"})

_call := _asked("phone", "marketing")

_agreed(months) := f.opt_in({"channel": "phone", "method": "act", "months_past": months})

test_mail_and_texts_need_consent if {
	every channel in ["email", "sms"] {
		f.denied_by(f.of(_asked(channel, "marketing"), {"b2b": true}), "ES-LSSI-01")
	}
}

test_calls_need_consent_of_businesses_too if {
	f.denied_by(f.given(f.of(_call, {"b2b": true}), {"lia_on_file": true}), "ES-TEL-01")
	facts := f.after(_call, [_agreed(18)])
	f.basis(facts) == "consent"
	{"ES-TEL-01", "ES-TEL-02"} - f.named(facts) == set()
	"display_prefix_number" in f.obliged(facts)
	not "display_prefix_number" in f.obliged(f.on(facts, "2025-10-10"))
}

test_a_consent_to_calls_lasts_two_years_and_one_to_mail_longer if {
	active := f.of(f.after(_call, [_agreed(24)]), {"interaction": {"months_past": 0}})
	f.denied_by(active, "ES-TEL-01")
	f.basis(f.on(active, "2025-10-10")) == "consent"
	mail := f.after(_asked("email", "marketing"), [f.opt_in({"months_past": 24})])
	f.basis(f.of(mail, {"interaction": {"months_past": 0}})) == "consent"
}

test_the_hours_end_an_hour_later_than_elsewhere if {
	calling := f.after(_call, [_agreed(6)])
	f.basis(f.at(calling, 5, 1200)) == "consent"
	every instant in [[5, 480], [5, 1260], [6, 600], [7, 600]] {
		late := f.at(calling, instant[0], instant[1])
		f.denied_by(late, "ES-TEL-02")
		"ENG-QH-01" in f.named(late)
	}
	f.denied_by(f.at(f.after(_asked("sms", "marketing"), [f.opt_in({"channel": "sms"})]), 5, 1200), "ENG-QH-01")
}
