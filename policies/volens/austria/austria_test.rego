package volens.austria_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "AT"})

test_calls_fax_mail_and_texts_need_consent if {
	every channel in ["phone", "phone_auto", "fax", "email", "sms"] {
		f.denied_by(f.of(_asked(channel, "marketing"), {"b2b": true}), "AT-TKG-01")
		facts := f.after(_asked(channel, "marketing"), [f.opt_in({"channel": channel})])
		f.basis(facts) == "consent"
		"AT-TKG-01" in f.named(facts)
	}
}

test_a_list_ends_the_soft_opt_in if {
	facts := f.given(f.after(_asked("email", "marketing"), [f.purchase({})]), f.similar)
	f.basis(facts) == "soft_opt_in"
	f.denied_by(f.signalled(facts, {"robinson_listed": true}), "DSR-NAT-01")
}
