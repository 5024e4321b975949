package volens.unknown_service_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "ZZ"})

_informed(changes) := f.opt_in(object.union({"channel": "sms", "purpose": "service", "method": "act"}, changes))

test_texts_and_automatic_calls_that_inform_need_a_proven_opt_in if {
	every channel in ["sms", "phone_auto"] {
		facts := _asked(channel, "security")
		f.denied_by(facts, "ENG-UNK-01")
		f.basis(f.after(facts, [_informed({"channel": channel})])) == "consent"
		f.basis(f.after(facts, [_informed({"channel": channel, "purpose": "security"})])) == "consent"
		every change in [{"evidence": "null"}, {"channel": "email"}, {"purpose": "marketing"}, {"method": "silence"}] {
			f.denied_by(f.after(facts, [object.union(_informed({"channel": channel}), change)]), "ENG-UNK-01")
		}
		f.denied_by(f.after(facts, [object.remove(_informed({"channel": channel}), ["evidence"])]), "ENG-UNK-01")
		f.basis(f.given(facts, {"exempt_informational": true})) == "contract"
	}
	every channel in ["email", "phone", "push", "post"] {
		f.basis(_asked(channel, "security")) == "contract"
	}
}

test_a_stop_to_one_kind_of_text_ends_the_others if {
	informed := f.after(_asked("sms", "service"), [
		_informed({}),
		f.opt_out({"channel": "sms", "purpose": "security"}),
	])
	f.basis(informed) == "consent"
	f.denied_by(f.on(informed, "2027-02-01"), "ENG-UNK-01")
}

test_data_leave_on_adequacy_or_safeguards if {
	every purpose in ["service", "marketing"] {
		facts := f.after(_asked("email", purpose), [f.opt_in({})])
		f.denied_by(f.given(facts, {"processor_country": "US"}), "ENG-UNK-01")
		every route in [
			{"processor_country": "CH"},
			{"processor_country": "US", "transfer_mechanism": "dpf"},
			{"processor_country": "other", "transfer_mechanism": "scc+tia"},
		] {
			f.verdict(f.given(facts, route)).allow
		}
	}
}

test_what_serves_is_complete if {
	served := _asked("email", "service")
	every defect in ["optout_in_message", "sender_identified", "postal_address_present"] {
		f.denied_by(f.given(served, {defect: false}), "ENG-UNK-01")
	}
	answer := f.given(served, {"requested_by_subject": true, "postal_address_present": false})
	f.basis(answer) == "contract"
	{"unsubscribe_link", "identify_sender", "postal_address"} - f.obliged(served) == set()
	{"stop_instructions", "identify_sender"} - f.obliged(f.after(_asked("sms", "service"), [_informed({})])) == set()
}

test_no_mail_but_a_duty_hides_its_sender if {
	hidden := {"sender_identified": false}
	confirmation := f.flagged(_asked("email", "optout_confirmation"), {"objected": true})
	f.basis(confirmation) == "none"
	f.denied_by(f.given(confirmation, hidden), "ENG-UNK-01")
	f.basis(f.given(_asked("email", "legal_notice"), hidden)) == "legal_obligation"
}

test_a_text_confirms_a_refusal_at_once if {
	every channel in ["sms", "email"] {
		refused := f.opt_out({"channel": channel, "minutes5": true})
		f.basis(f.after(_asked(channel, "optout_confirmation"), [refused])) == "none"
	}
	late := f.opt_out({"channel": "sms"})
	f.denied_by(f.after(_asked("sms", "optout_confirmation"), [late]), "ENG-UNK-01")
	f.basis(f.after(_asked("email", "optout_confirmation"), [f.opt_out({})])) == "none"
}
