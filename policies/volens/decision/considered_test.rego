package volens.decision_test

import data.volens.decision
import data.volens.fixtures_test as f

test_the_laws_asked_are_told_with_their_basis if {
	asked := decision.considered with input as f.placed(
		f.after(f.germany("email", "marketing"), [f.opt_in({})]),
		{"location": "US-CA"},
	)
	{law.place: law.basis | some law in asked.laws} == {"DE": "consent", "US-CA": "consent"}
	every law in asked.laws {
		law.held
		count(law.regimes) >= 2
	}
	"EU-POL-01" in asked.begun
}

test_a_law_without_a_basis_is_told_too if {
	asked := decision.considered with input as f.germany("email", "marketing")
	asked.laws[0].basis == ""
}
