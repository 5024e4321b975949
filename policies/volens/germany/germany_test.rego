package volens.germany_test

import data.volens.fixtures_test as f

_mail := f.germany("email", "marketing")

_call := f.germany("phone", "marketing")

_agreed := f.opt_in({"channel": "phone", "method": "act"})

test_mail_texts_and_fax_need_express_consent if {
	every channel in ["email", "sms", "fax", "phone_auto"] {
		f.denied_by(f.of(f.germany(channel, "marketing"), {"b2b": true}), "DE-UWG-01")
	}
}

test_calls_need_consent_and_businesses_a_presumed_one if {
	f.denied_by(_call, "DE-UWG-02")
	presumed := f.given(f.of(_call, {"b2b": true}), {"presumed_interest_facts": true, "lia_on_file": true})
	f.basis(presumed) == "legitimate_interest"
	{"dnc_scrub", "caller_id", "identify_sender", "inform_right_to_object"} - f.obliged(presumed) == set()
	f.denied_by(f.given(presumed, {"presumed_interest_facts": false}), "DE-UWG-02")
	f.denied_by(f.given(presumed, {"lia_on_file": false}), "DE-UWG-02")
	f.denied_by(f.of(presumed, {"b2b": false}), "DE-UWG-02")
}

test_consent_to_calls_is_documented if {
	facts := f.after(_call, [_agreed])
	f.basis(facts) == "consent"
	"DE-UWG-03" in f.named(facts)
	"record_keeping_5y" in f.obliged(facts)
	f.denied_by(f.after(_call, [object.union(_agreed, {"evidence": "null"})]), "DE-UWG-03")
}

test_mail_takes_a_second_step if {
	f.denied_by(f.after(_mail, [f.opt_in({"method": "act"})]), "DE-DOI-01")
	f.basis(f.after(_mail, [f.opt_in({"method": "double_opt_in_email"})])) == "consent"
	f.denied_by(f.after(_mail, [f.opt_in({"action": "opt_in_pending"})]), "DE-DOI-01")
	f.denied_by(f.after(_call, [f.opt_in({"channel": "phone", "method": "double_opt_in_email"})]), "DE-DOI-01")
}

test_an_unused_consent_lapses if {
	old := f.after(_mail, [f.opt_in({"months_past": 24})])
	f.denied_by(old, "DE-STL-01")
	f.basis(f.of(old, {"interaction": {"months_past": 18}})) == "consent"
	f.basis(f.of(old, {"sent": {"months_past": 18}})) == "consent"
	f.denied_by(f.given(f.after(_mail, [f.purchase({"months_past": 24})]), f.similar), "DE-STL-01")
}
