package volens.ireland_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "IE"})

_after_sale(channel, months) := f.given(
	f.after(_asked(channel, "marketing"), [f.purchase({"months_past": months})]),
	f.similar,
)

test_the_soft_opt_in_lapses_without_use if {
	every channel in ["email", "sms"] {
		facts := _after_sale(channel, 6)
		f.basis(facts) == "soft_opt_in"
		"IE-SOI-01" in f.named(facts)
		f.denied_by(_after_sale(channel, 12), "IE-SOI-01")
		f.basis(f.of(_after_sale(channel, 36), {"sent": {"months_past": 6}})) == "soft_opt_in"
		f.denied_by(f.of(_after_sale(channel, 12), {"interaction": {"months_past": 0}}), "IE-SOI-01")
	}
	not "IE-SOI-01" in f.named(_after_sale("phone", 12))
}

test_a_consent_lasts_longer if {
	mail := _asked("email", "marketing")
	f.basis(f.after(mail, [f.opt_in({"months_past": 18})])) == "consent"
	f.denied_by(f.after(mail, [f.opt_in({"months_past": 24})]), "ENG-STALE-01")
}
