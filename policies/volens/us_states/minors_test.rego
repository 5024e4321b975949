package volens.us_states_minors_test

import data.volens.fixtures_test as f

_ads(place, age) := f.of(f.placed(f.california("web", "targeted_ads"), {"residence": place}), {"age": age})

_opt_in(age) := f.opt_in({"channel": "web", "purpose": "targeted_ads", "age": age})

# Age from which each state asks for no opt-in.
_free := {"US-VA": 16, "US-NY": 16, "US-NH": 16, "US-MT": 16, "US-NJ": 17, "US-MN": 17, "US-DE": 18}

# Age below which no opt-in helps.
_banned := {"US-MD": 18, "US-CT": 18, "US-OR": 16, "US": 18}

test_the_young_are_targeted_with_an_opt_in if {
	every place, age in _free {
		f.basis(_ads(place, age)) == "none"
		f.denied_by(_ads(place, age - 1), "USST-MIN-01")
		young := f.after(_ads(place, age - 1), [_opt_in(age - 1)])
		f.basis(young) == "consent"
		"USST-MIN-01" in f.named(young)
	}
	"USST-MIN-01" in f.named(_ads("US-VA", 17))
}

test_in_some_states_they_are_not_targeted_at_all if {
	every place, age in _banned {
		f.denied_by(f.after(_ads(place, age - 1), [_opt_in(age - 1)]), "USST-MIN-01")
		f.basis(_ads(place, age)) == "none"
	}
}

test_the_bans_began_late if {
	before := f.on(_ads("US-CT", 17), "2026-06-19")
	f.basis(before) == "none"
	f.denied_by(f.on(_ads("US-CT", 15), "2026-06-19"), "USST-MIN-01")
	f.basis(f.on(f.after(_ads("US-OR", 15), [_opt_in(14)]), "2025-12-28")) == "consent"
	early := object.union(before, {"overlay": {"early": ["USST-MIN-CT"]}})
	f.denied_by(early, "USST-MIN-01")
}

test_of_children_it_is_the_parents if {
	every place in ["US-VA", "US-DE"] {
		f.denied_by(f.after(_ads(place, 12), [_opt_in(12)]), "USST-MIN-01")
		f.basis(f.after(_ads(place, 12), [f.parental_consent({})])) == "consent"
		f.denied_by(f.after(_ads(place, 12), [f.parental_consent({"scope": "collection_only"})]), "USST-MIN-01")
	}
	f.denied_by(f.after(_ads("US-MD", 12), [f.parental_consent({})]), "USST-MIN-01")
}

test_signs_of_a_child_are_enough if {
	sale := f.placed(f.california("web", "sale_share"), {"residence": "US-VA"})
	facts := f.of_unknown_age(sale, {"age_signals": "other"})
	f.denied_by(facts, "USST-MIN-01")
}

test_what_is_written_to_them_is_another_matter if {
	mail := f.of(f.placed(f.california("email", "marketing"), {"residence": "US-MD"}), {"age": 15})
	f.basis(mail) == "none"
	f.denied_by(f.given(mail, {"custom_audience_upload": true}), "USST-MIN-01")
}

test_a_parents_consent_to_sale_serves_the_advertising if {
	every place in ["US-VA", "US-CA"] {
		child := _ads(place, 12)
		parents := f.parental_consent({"channel": "web", "purpose": "sale_share"})
		f.basis(f.after(child, [parents])) == "consent"
		not f.verdict(f.after(child, [object.union(parents, {"scope": "collection_only"})])).allow
		not f.verdict(f.after(child, [f.opt_out({"action": "opt_out_sale"}), parents])).allow
		not f.verdict(f.after(child, [f.parental_consent({"channel": "web", "purpose": "marketing"})])).allow
	}
}
