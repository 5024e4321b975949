package volens.registers_test

import data.volens.fixtures_test as f

_in(state, channel) := f.placed(f.germany(channel, "marketing"), {"residence": state})

_agreed(channel) := f.opt_in({"channel": channel})

_listed(channel, rank) := {"action": "dnc_listed", "channel": channel, "purpose": "marketing", "rank": rank}

_on_a_list(facts) := f.signalled(facts, {"robinson_listed": true})

test_robinson_lists_bind_calls_and_post_everywhere if {
	every state in ["DE", "BE", "DK", "IE", "NO", "PT", "SE"] {
		every channel in ["phone", "phone_auto", "post"] {
			asked := f.given(_in(state, channel), {"lia_on_file": true})
			f.denied_by(_on_a_list(f.after(asked, [_agreed(channel)])), "DSR-NAT-01")
			f.denied_by(f.after(asked, [_agreed(channel), _listed(channel, 6)]), "DSR-NAT-01")
			f.denied_by(f.after(asked, [_agreed(channel), _listed(channel, 5)]), "DSR-NAT-01")
			later := _on_a_list(f.after(asked, [_listed("any", 4), _agreed(channel)]))
			f.basis(later) == "consent"
			"DSR-NAT-01" in f.named(later)
		}
	}
}

test_by_mail_and_text_they_bind_all_but_consent if {
	every channel in ["email", "sms"] {
		f.basis(_on_a_list(f.after(_in("ES", channel), [_agreed(channel)]))) == "consent"
		f.denied_by(
			_on_a_list(f.given(f.after(_in("ES", channel), [f.purchase({})]), f.similar)),
			"DSR-NAT-01",
		)
	}
	weighed := {"lia_on_file": true, "related_to_profession": true}
	business := f.given(f.of(_in("SE", "email"), {"b2b": true}), weighed)
	f.basis(business) == "legitimate_interest"
	f.denied_by(_on_a_list(business), "DSR-NAT-01")
	f.denied_by(f.after(business, [_listed("email", 4)]), "DSR-NAT-01")
}

test_other_channels_and_service_have_none if {
	not "DSR-NAT-01" in f.named(_on_a_list(_in("DE", "push")))
	not "DSR-NAT-01" in f.named(f.after(_in("DE", "push"), [_listed("any", 4)]))
	f.basis(_on_a_list(f.germany("phone", "service"))) == "contract"
}

test_bloctel_has_ended if {
	facts := f.signalled(f.after(_in("FR", "phone"), [_agreed("phone")]), {"bloctel_listed": true})
	f.basis(facts) == "consent"
	not "DSR-NAT-01" in f.named(facts)
	f.denied_by(f.on(facts, "2026-07-01"), "DSR-NAT-01")
	early := object.union(f.on(facts, "2026-07-01"), {"overlay": {"early": ["FR-TEL-01", "FR-BLOCTEL-END"]}})
	f.denied_by(early, "DSR-NAT-01")
	f.basis(f.on(f.after(facts, [_listed("phone", 4), _agreed("phone")]), "2026-07-01")) == "consent"
	not "DSR-NAT-01" in f.named(f.on(f.signalled(_in("FR", "email"), {"bloctel_listed": true}), "2026-07-01"))
}

test_one_state_s_register_binds_nobody_else if {
	every signal in ["rpo_listed", "bloctel_listed", "tps_listed"] {
		facts := f.on(f.given(_in("BE", "phone"), {"lia_on_file": true}), "2026-07-01")
		f.basis(f.signalled(facts, {signal: true})) == "legitimate_interest"
	}
}

test_robinson_lists_bind_in_britain_and_switzerland if {
	every place in ["GB", "CH"] {
		letter := f.given(_in(place, "post"), {"lia_on_file": true})
		f.denied_by(_on_a_list(f.after(letter, [_agreed("post")])), "DSR-NAT-01")
		f.denied_by(f.after(letter, [_agreed("post"), _listed("post", 6)]), "DSR-NAT-01")
		f.basis(_on_a_list(f.after(letter, [_listed("any", 4), _agreed("post")]))) == "consent"
		sold := f.given(f.after(_in(place, "email"), [f.purchase({})]), f.similar)
		f.basis(sold) == "soft_opt_in"
		f.denied_by(_on_a_list(sold), "DSR-NAT-01")
		f.basis(_on_a_list(f.after(_in(place, "email"), [_agreed("email")]))) == "consent"
		f.denied_by(_on_a_list(f.given(_in(place, "phone"), {"lia_on_file": true})), "DSR-NAT-01")
	}
}

test_a_record_of_the_british_register_of_calls_is_beaten_by_consent_of_any_date if {
	facts := f.after(_in("GB", "phone"), [_agreed("phone"), _listed("phone", 6)])
	f.basis(facts) == "consent"
	f.denied_by(f.after(_in("CH", "phone"), facts.acts), "DSR-NAT-01")
}
