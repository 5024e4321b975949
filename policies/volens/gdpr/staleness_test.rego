package volens.gdpr_staleness_test

import data.volens.fixtures_test as f

_mail := f.from_europe("email", "marketing")

_old := f.opt_in({"months_past": 24})

test_after_two_years_of_silence_consent_is_stale if f.denied_by(f.after(_mail, [_old]), "ENG-STALE-01")

test_any_interest_keeps_it_fresh if {
	f.basis(f.of(f.after(_mail, [_old]), {"interaction": {"months_past": 18}})) == "consent"
	f.basis(f.after(_mail, [_old, f.purchase({})])) == "consent"
	f.basis(f.after(_mail, [_old, f.opt_in({"channel": "sms"})])) == "consent"
}

test_a_worthless_opt_in_is_no_interest if {
	f.denied_by(f.after(_mail, [_old, f.opt_in({"channel": "sms", "method": "silence"})]), "ENG-STALE-01")
}
