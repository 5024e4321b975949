package volens.us_states_test

import data.volens.fixtures_test as f

test_every_day_in_the_table_is_a_band if {
	every law in data.volens.states.laws {
		every field in ["since", "signal"] {
			object.get(law, field, "2023-01-01") in ({"0001-01-01"} | {day | some day in data.volens.bands.in_force})
		}
	}
}

test_every_age_in_the_table_is_a_band if {
	every law in data.volens.states.laws {
		every age in [object.get(law, ["teens", "ban"], 16), object.get(law, ["teens", "consent"], 16)] {
			age in data.volens.bands.ages
		}
	}
	data.volens.states.teens.consent in data.volens.bands.ages
}

test_every_cap_is_below_what_is_counted if {
	every cap in data.volens.states.attempts {
		cap < data.volens.bands.attempts.h24
	}
}

_places contains place if some place, _ in data.volens.states.laws

_places contains place if some place, _ in data.volens.states.attempts

_places contains place if some place in data.volens.states.health.places

_places contains place if some place in data.volens.states.kept_refusals

test_every_place_in_the_table_is_judged_by_it if {
	every place in _places {
		"us_states" in data.volens.places[place].regimes
	}
}

test_each_place_has_its_own_law if {
	ads := f.placed(f.california("web", "targeted_ads"), {"location": "US-TX"})
	f.basis(ads) == "none"
	{"USCA-OPT-06", "USST-OPT-01", "ENG-MULTI-01"} - f.named(ads) == set()
	use := f.given(
		f.placed(f.california("web", "sensitive_use"), {"location": "US-TX"}),
		{"sensitive": "health", "notice_right_to_limit": true, "purpose_disclosed": true},
	)
	f.denied_by(use, "USST-SEN-01")
	not "USCA-LIM-01" in f.denying(use)
	f.basis(f.placed(use, {"location": "US-UT"})) == "none"
	f.basis(f.after(use, [f.opt_in({"channel": "web", "purpose": "sensitive_use"})])) == "consent"
}

test_a_parish_unknown_to_the_table_is_an_unknown_state if {
	facts := f.of(f.placed(f.california("web", "targeted_ads"), {"residence": "US-PR"}), {"age": 17})
	f.denied_by(facts, "USST-MIN-01")
}
