package volens.unknown_telephone_test

import data.volens.fixtures_test as f

_call := f.after(
	f.placed(f.germany("phone", "marketing"), {"residence": "ZZ"}),
	[f.opt_in({"channel": "phone", "method": "act"})],
)

test_nobody_is_called_about_energy_renovation if {
	f.denied_by(f.given(_call, {"topic": "energy_renovation"}), "ENG-UNK-01")
	f.basis(f.given(_call, {"topic": "pensions"})) == "consent"
	f.basis(f.of(f.given(_call, {"topic": "energy_renovation"}), {"b2b": true})) == "consent"
}

test_nobody_is_called_more_often_than_the_strictest_law_has_it if {
	every attempts in [{"h24": 3, "d30": 3}, {"h24": 0, "d30": 4}] {
		often := object.union(_call, {"attempts": attempts})
		f.denied_by(often, "ENG-UNK-01")
		not f.verdict(often).closed_hours
	}
	f.basis(object.union(_call, {"attempts": {"h24": 2, "d30": 3}})) == "consent"
}

test_nobody_is_called_within_sixty_days_of_a_refusal if {
	refused := {"action": "refused_in_call", "channel": "phone", "purpose": "marketing", "rank": 3, "days60": true}
	later := f.opt_in({"channel": "phone", "method": "act"})
	f.denied_by(f.after(_call, [refused, later]), "ENG-UNK-01")
	f.basis(f.after(_call, [object.remove(refused, ["days60"]), later])) == "consent"
}
