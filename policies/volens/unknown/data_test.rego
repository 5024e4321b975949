package volens.unknown_data_test

import data.volens.fixtures_test as f

_asked(purpose, changes) := f.after(
	f.placed(f.germany("web", purpose), {"residence": "ZZ"}),
	[f.opt_in(object.union({"channel": "web", "purpose": purpose}, changes))],
)

test_a_sale_once_refused_takes_two_steps_to_allow if {
	every refusal in [{"action": "opt_out_sale"}, {"action": "opt_out", "purpose": "sale_share"}] {
		refused := f.opt_out(object.union({"channel": "web", "purpose": "sale_share", "rank": 3}, refusal))
		again := f.opt_in({"channel": "web", "purpose": "sale_share"})
		facts := _asked("sale_share", {})
		f.basis(facts) == "consent"
		f.denied_by(f.after(facts, [refused, again]), "ENG-UNK-01")
		f.basis(f.after(facts, [refused, object.union(again, {"two_step": true})])) == "consent"
	}
}

test_a_limit_is_undone_by_a_later_opt_in_in_two_steps if {
	needed := {"use": "service_requested"}
	limit := {"action": "limit", "channel": "web", "purpose": "sensitive_use", "rank": 7}
	use := f.given(_asked("sensitive_use", {}), {"requested_by_subject": true})
	f.basis(use) == "consent"
	yes := f.opt_in({"channel": "web", "purpose": "sensitive_use", "rank": 8})
	f.denied_by(f.after(use, [yes, object.union(limit, {"rank": 9})]), "ENG-UNK-01")
	f.denied_by(f.after(use, [limit, yes]), "ENG-UNK-01")
	f.basis(f.after(use, [limit, object.union(yes, {"two_step": true})])) == "consent"
	f.basis(f.after(f.given(use, needed), [limit, yes])) == "consent"
}

test_a_refusal_of_profiling_counts_where_only_states_know_it if {
	profiling := f.given(_asked("profiling", {}), {"sensitive": "precise_geolocation", "requested_by_subject": true})
	f.basis(profiling) == "consent"
	limit := {"action": "limit", "channel": "web", "purpose": "sensitive_use", "rank": 7}
	f.denied_by(json.patch(profiling, [{"op": "add", "path": "/acts/-", "value": limit}]), "ENG-UNK-01")
}

_parent(purpose) := f.after(
	f.of(f.placed(f.germany("web", purpose), {"residence": "ZZ"}), {"age": 15}),
	[f.parental_consent({"channel": "web", "purpose": purpose})],
)

test_children_are_neither_followed_nor_handed_on if {
	f.basis(_parent("marketing")) == "consent"
	every purpose in ["sale_share", "targeted_ads", "profiling"] {
		f.denied_by(_parent(purpose), "ENG-UNK-01")
	}
	f.denied_by(f.given(_parent("marketing"), {"custom_audience_upload": true}), "ENG-UNK-01")
	f.basis(_parent("analytics")) == "consent"
	f.denied_by(f.on(_parent("analytics"), "2027-05-13"), "ENG-UNK-01")
}

test_sensitive_data_are_used_where_nothing_else_would_do if {
	use := _asked("sensitive_use", {})
	f.denied_by(use, "ENG-UNK-01")
	every need in [{"necessary_for_contract": true}, {"requested_by_subject": true}, {"use": "service_requested"}] {
		f.basis(f.given(use, need)) == "consent"
	}
	f.basis(f.on(use, "2026-03-17")) == "consent"
}

test_consent_to_messages_is_none_to_the_use_of_data if {
	located := {"sensitive": "precise_geolocation", "requested_by_subject": true}
	f.denied_by(f.given(_asked("marketing", {}), located), "ENG-UNK-01")
	f.basis(f.given(_asked("marketing", {"covers_category": true}), located)) == "consent"
	f.basis(f.given(_asked("analytics", {}), located)) == "consent"
	f.denied_by(f.given(_asked("analytics", {"covers_category": false}), located), "ENG-UNK-01")
}

test_nobody_sells_sensitive_data if {
	sale := f.given(
		_asked("sale_share", {"explicit": true, "covers_category": true}),
		{"special_category": "religion", "requested_by_subject": true},
	)
	f.denied_by(sale, "ENG-UNK-01")
	f.basis(f.on(sale, "2025-09-01")) == "consent"
}

test_political_and_platform_advertising_are_as_in_the_union if {
	f.denied_by(_asked("political_ads", {}), "ENG-UNK-01")
	explicit := _asked("political_ads", {"explicit": true})
	f.basis(explicit) == "consent"
	f.basis(f.on(_asked("political_ads", {}), "2025-10-01")) == "consent"
	special := {"special_category": "religion", "requested_by_subject": true}
	covering := {"explicit": true, "covers_category": true}
	f.denied_by(f.given(_asked("political_ads", covering), special), "ENG-UNK-01")
	ads := f.given(_asked("targeted_ads", covering), special)
	f.basis(ads) == "consent"
	f.denied_by(f.given(ads, {"online_platform": true}), "ENG-UNK-01")
}

test_profiling_is_switched_on_first if {
	profiled := f.given(_asked("marketing", {}), {"profiled": true})
	f.denied_by(profiled, "ENG-UNK-01")
	on := f.opt_in({"channel": "web", "purpose": "profiling"})
	f.basis(json.patch(profiled, [{"op": "add", "path": "/acts/-", "value": on}])) == "consent"
}

test_a_withdrawn_consent_to_the_use_of_sensitive_data_lends_nothing_to_a_later_one if {
	letter := f.placed(f.germany("post", "marketing"), {"residence": "ZZ"})
	used := f.given(f.on(letter, "2025-07-31"), {"sensitive": "precise_geolocation", "necessary_for_contract": true})
	about := f.opt_in({"channel": "post", "sensitive": true, "covers_category": true})
	plain := f.opt_in({"channel": "post", "rank": 9})
	f.denied_by(f.after(used, [about, f.opt_out({"channel": "post"}), plain]), "ENG-UNK-01")
}
