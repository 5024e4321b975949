package volens.decision

import data.volens.brazil
import data.volens.elsewhere
import data.volens.india
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
	"basis": unknown.basis,
	"gate": unknown.gate,
	"late": unknown.late,
	"relied": {"consent": unknown.informing},
} if {
	situation.under.unknown
}

_said["india"] := {
	"deny": india.deny,
	"basis": india.basis,
	"gate": india.gate,
	"failing": india.failing,
	"note": india.note,
	"late": india.late,
} if {
	situation.under.india
}

_said["brazil"] := {
	"deny": brazil.deny,
	"basis": brazil.basis,
	"gate": brazil.gate,
	"failing": brazil.failing,
	"note": brazil.note,
} if {
	situation.under.brazil
}
