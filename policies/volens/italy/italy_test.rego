package volens.italy_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "IT"})

_call := _asked("phone", "marketing")

_weighed := f.given(_call, {"lia_on_file": true})

_agreed := f.opt_in({"channel": "phone", "method": "act"})

_listed(rank) := {"action": "dnc_listed", "channel": "phone", "purpose": "marketing", "rank": rank}

test_mail_and_texts_need_consent if {
	every channel in ["email", "sms"] {
		f.denied_by(f.of(_asked(channel, "marketing"), {"b2b": true}), "IT-EM-01")
	}
	not "IT-EM-01" in f.named(_call)
}

test_calls_rest_on_an_interest_unless_registered if {
	f.basis(_weighed) == "legitimate_interest"
	"IT-TEL-01" in f.named(_weighed)
	"dnc_scrub" in f.obliged(_weighed)
	registered := f.signalled(_weighed, {"rpo_listed": true})
	f.denied_by(registered, "IT-TEL-01")
	f.denied_by(registered, "DSR-NAT-01")
	f.denied_by(f.after(registered, [_agreed]), "IT-TEL-01")
	f.denied_by(f.after(_weighed, [_agreed, _listed(6)]), "IT-TEL-01")
	f.basis(f.after(registered, [_listed(4), _agreed])) == "consent"
	by_post := f.given(_asked("post", "marketing"), {"lia_on_file": true})
	f.basis(by_post) == "legitimate_interest"
	f.denied_by(f.signalled(by_post, {"rpo_listed": true}), "IT-TEL-01")
}

test_a_consent_within_a_contract_that_runs_survives_registration if {
	contract := f.purchase({"ongoing_contract": true})
	facts := f.given(
		f.signalled(f.after(_call, [contract, _agreed]), {"rpo_listed": true}),
		{"related_to_current_contract": true},
	)
	f.basis(facts) == "consent"
	f.denied_by(f.after(facts, [_agreed]), "IT-TEL-01")
	f.denied_by(f.given(f.after(facts, [contract]), {"lia_on_file": true}), "IT-TEL-01")
	f.denied_by(f.given(facts, {"related_to_current_contract": false}), "IT-TEL-01")
	f.denied_by(f.signalled(facts, {"robinson_listed": true}), "DSR-NAT-01")
	not "IT-TEL-01" in f.denying(f.signalled(facts, {"robinson_listed": true}))
}

test_energy_is_offered_on_request_or_consent if {
	every topic in ["electricity_gas", "other"] {
		facts := f.given(_weighed, {"topic": topic})
		f.denied_by(facts, "IT-TEL-02")
		f.basis(f.on(facts, "2026-04-01")) == "legitimate_interest"
		f.basis(f.given(facts, {"requested_by_subject": true})) == "legitimate_interest"
		f.basis(f.after(facts, [_agreed])) == "consent"
		"IT-TEL-02" in f.named(f.after(facts, [_agreed]))
	}
	f.denied_by(f.given(_asked("sms", "marketing"), {"topic": "electricity_gas"}), "IT-TEL-02")
	not "IT-TEL-02" in f.named(f.given(_asked("email", "marketing"), {"topic": "electricity_gas"}))
	f.basis(f.given(_weighed, {"topic": "pensions"})) == "legitimate_interest"
}
