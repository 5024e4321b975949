package volens.decision

import data.volens.elsewhere
import data.volens.situation
import data.volens.unknown

_said["elsewhere"] := {
	"deny": elsewhere.deny,
	"basis": elsewhere.basis,
	"basis_in": elsewhere.basis_in,
	"gate": elsewhere.gate,
	"failing": elsewhere.failing,
	"note": elsewhere.note,
	"relied": {"consent": {i | some i in elsewhere.consenting[_]}},
	"refused": elsewhere.refused,
	"lacking": elsewhere.offered,
} if {
	situation.under.elsewhere
}

_said["unknown"] := {
	"deny": unknown.deny,
	"gate": unknown.gate,
	"late": unknown.late,
} if {
	situation.under.unknown
}
