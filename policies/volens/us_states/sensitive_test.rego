package volens.us_states_sensitive_test

import data.volens.fixtures_test as f

_use(place) := f.given(f.placed(f.california("web", "sensitive_use"), {"residence": place}), {"sensitive": "religion"})

_agreed(changes) := f.opt_in(object.union(
	{"channel": "web", "purpose": "sensitive_use", "method": "act"},
	changes,
))

_about(place, purpose, changes) := f.given(
	f.after(f.placed(f.california("web", purpose), {"residence": place}), [_agreed(changes)]),
	{"sensitive": "religion"},
)

test_sensitive_data_are_used_with_an_opt_in if {
	every place in ["US-VA", "US-NY", "US-TX"] {
		f.denied_by(_use(place), "USST-SEN-01")
		f.denied_by(f.after(_use(place), [_agreed({"covers_category": false})]), "USST-SEN-01")
		facts := f.after(_use(place), [_agreed({})])
		f.basis(facts) == "consent"
		"USST-SEN-01" in f.named(facts)
	}
}

test_whatever_they_are_used_for if {
	every purpose in ["profiling", "sale_share", "adm"] {
		f.basis(_about("US-VA", purpose, {"purpose": purpose})) == "consent"
		not f.verdict(_about("US-VA", purpose, {})).allow
	}
	special := f.given(f.placed(f.california("web", "profiling"), {"residence": "US-VA"}), {"special_category": "health"})
	f.denied_by(special, "USST-SEN-01")
}

test_agreeing_to_messages_says_nothing_about_data if {
	f.denied_by(_about("US-VA", "marketing", {"purpose": "marketing"}), "USST-SEN-01")
	every telling in [{"covers_category": true}, {"explicit": true}] {
		f.basis(_about("US-VA", "marketing", object.union({"purpose": "marketing"}, telling))) == "consent"
	}
}

test_in_utah_and_iowa_a_notice_is_enough_until_refused if {
	every place in ["US-UT", "US-IA"] {
		f.denied_by(_use(place), "USST-SEN-01")
		every notice in ["notice_given", "notice_at_collection", "purpose_disclosed"] {
			f.basis(f.given(_use(place), {notice: true})) == "none"
		}
		told := f.given(_use(place), {"notice_given": true})
		refused := f.opt_out({"channel": "web", "purpose": "sensitive_use"})
		f.denied_by(f.after(told, [refused]), "ENG-OPT-01")
	}
	f.denied_by(f.given(_use("US-VA"), {"notice_given": true}), "USST-SEN-01")
	f.denied_by(f.on(f.given(_use("US-IA"), {"notice_given": true}), "2024-11-10"), "USST-SEN-01")
}

_limit := {"action": "limit", "channel": "web", "purpose": "sensitive_use", "rank": 7}

test_a_limit_goes_with_the_person if {
	every purpose in ["sensitive_use", "profiling"] {
		yes := _about("US-VA", purpose, {"purpose": purpose})
		limited := json.patch(yes, [{"op": "add", "path": "/acts/-", "value": _limit}])
		{"USST-SEN-01", "ENG-OPT-01"} - f.denying(limited) == set()
		f.verdict(limited).acts == [1]
	}
	f.basis(f.after(_use("US-VA"), [_limit, _agreed({"rank": 8})])) == "consent"
	needed := f.given(f.after(_use("US-UT"), [_limit]), {"use": "security", "notice_given": true})
	f.basis(needed) == "none"
}

test_maryland_asks_for_strict_necessity_besides if {
	every place in ["US-MD", "US"] {
		yes := f.after(_use(place), [_agreed({})])
		f.denied_by(yes, "USMD-SEN-01")
		every need in [{"necessary_for_contract": true}, {"requested_by_subject": true}, {"use": "service_requested"}] {
			facts := f.given(yes, need)
			f.basis(facts) == "consent"
			"USMD-SEN-01" in f.named(facts)
			f.denied_by(f.given(_use(place), need), "USST-SEN-01")
		}
	}
	f.basis(f.on(f.after(_use("US-MD"), [_agreed({})]), "2026-03-17")) == "consent"
}

test_maryland_lets_nobody_sell_them if {
	facts := f.given(_about("US-MD", "sale_share", {"purpose": "sale_share"}), {"requested_by_subject": true})
	f.denied_by(facts, "USMD-SEN-01")
	f.denied_by(f.on(facts, "2025-10-01"), "USMD-SEN-01")
	f.basis(f.on(facts, "2025-09-01")) == "consent"
	not "USMD-SEN-01" in f.named(_about("US-VA", "sale_share", {"purpose": "sale_share"}))
	f.basis(f.placed(f.california("web", "sale_share"), {"residence": "US-MD"})) == "none"
}

test_health_data_take_consent_in_washington_and_nevada if {
	every place in ["US-WA", "US-NV"] {
		health := f.given(_use(place), {"sensitive": "health"})
		f.denied_by(health, "USST-MHMD-01")
		f.basis(f.after(health, [_agreed({})])) == "consent"
		not "USST-MHMD-01" in f.named(_use(place))
		f.denied_by(json.remove(_use(place), ["/context/sensitive"]), "USST-MHMD-01")
	}
	not "USST-MHMD-01" in f.named(f.given(_use("US-VA"), {"sensitive": "health"}))
}

test_their_sale_takes_a_signed_authorisation if {
	sale := f.given(f.placed(f.california("web", "sale_share"), {"residence": "US-WA"}), {"sensitive": "health"})
	yes := _agreed({"action": "opt_in_sale", "purpose": "sale_share"})
	f.denied_by(f.after(sale, [yes]), "USST-MHMD-01")
	f.basis(f.after(sale, [object.union(yes, {"method": "e_sign"})])) == "consent"
}

test_a_withdrawn_authorisation_lends_nothing_to_a_later_opt_in if {
	declared := {"sensitive": "health"}
	sale := f.given(f.placed(f.california("web", "sale_share"), {"residence": "US-WA"}), declared)
	signed := f.opt_in({"channel": "web", "purpose": "sale_share", "method": "e_sign"})
	plain := f.opt_in({"channel": "web", "purpose": "sale_share", "method": "act", "rank": 9})
	f.basis(f.after(sale, [signed, plain])) == "consent"
	f.denied_by(f.after(sale, [signed, f.opt_out({"action": "opt_out_sale"}), plain]), "USST-MHMD-01")
}

test_a_use_that_a_limit_leaves_is_held_to_it_everywhere if {
	use := {"use": "security"}
	every place in ["US-CA", "US-VA"] {
		facts := f.given(f.placed(f.california("in_app", "sensitive_use"), {"residence": place}), use)
		limit := {"action": "limit", "channel": "any", "rank": 1}
		yes := f.opt_in({"channel": "in_app", "purpose": "sensitive_use", "method": "act"})
		"limit_to_7027m" in f.obliged(f.after(facts, [limit, yes]))
		not "limit_to_7027m" in f.obliged(f.after(facts, [yes]))
	}
}
