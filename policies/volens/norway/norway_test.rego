package volens.norway_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "NO"})

test_mail_texts_and_automatic_calls_need_consent if {
	every channel in ["email", "sms", "phone_auto"] {
		f.denied_by(_asked(channel, "marketing"), "NO-MFL-01")
		facts := f.after(_asked(channel, "marketing"), [f.opt_in({"channel": channel})])
		f.basis(facts) == "consent"
		"NO-MFL-01" in f.named(facts)
	}
}

test_companies_are_protected_by_the_rule_for_all if {
	company := f.of(_asked("email", "marketing"), {"b2b": true, "subscriber_type": "corporate"})
	f.denied_by(f.given(company, {"lia_on_file": true, "related_to_profession": true}), "EU-EPD-05")
	not "NO-MFL-01" in f.named(company)
}
