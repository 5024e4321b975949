package volens.poland_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "PL"})

test_calls_mail_and_texts_need_consent if {
	every channel in ["phone", "phone_auto", "email", "sms"] {
		f.denied_by(_asked(channel, "marketing"), "PL-PKE-01")
		facts := f.after(_asked(channel, "marketing"), [f.opt_in({"channel": channel})])
		f.basis(facts) == "consent"
		"PL-PKE-01" in f.named(facts)
	}
}

test_there_is_no_soft_opt_in if {
	facts := f.given(f.after(_asked("email", "marketing"), [f.purchase({})]), f.similar)
	f.denied_by(facts, "PL-PKE-01")
	"EU-EPD-02" in f.named(facts)
	before := f.on(facts, "0001-01-01")
	f.denied_by(before, "EU-EPD-01")
	not "PL-PKE-01" in f.named(before)
}
