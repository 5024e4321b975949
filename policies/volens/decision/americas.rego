package volens.decision

import data.volens.canada
import data.volens.ccpa
import data.volens.quebec
import data.volens.situation
import data.volens.us_federal
import data.volens.us_states

_said["us_federal"] := {
	"deny": us_federal.deny,
	"basis": us_federal.basis,
	"gate": us_federal.gate,
	"failing": us_federal.failing,
	"tried": us_federal.tried,
	"note": us_federal.note,
	"late": us_federal.late,
	"relied": {"consent": us_federal.sufficient | us_federal.informing},
	"related": us_federal.related,
	"refused": us_federal.refused,
} if {
	situation.under.us_federal
}

_said["ccpa"] := {
	"deny": ccpa.deny,
	"basis": ccpa.basis,
	"gate": ccpa.gate,
	"failing": ccpa.failing,
	"note": ccpa.note,
	"related": ccpa.opted_in,
	"refused": (ccpa.standing | ccpa.limits),
} if {
	situation.under.ccpa
}

_said["us_states"] := {
	"deny": us_states.deny,
	"basis": us_states.basis,
	"basis_in": us_states.basis_in,
	"gate": us_states.gate,
	"note": us_states.note,
	"late": us_states.late,
	"relied": {"consent": us_states.agreeing},
	"refused": us_states.refused,
} if {
	situation.under.us_states
}

_said["canada"] := {
	"deny": canada.deny,
	"basis": canada.basis,
	"gate": canada.gate,
	"tried": canada.tried,
	"note": canada.note,
	"late": canada.late,
	"relied": {"consent": canada.implied},
	"related": canada.related,
} if {
	situation.under.canada
}

_said["quebec"] := {
	"deny": quebec.deny,
	"gate": quebec.gate,
	"failing": quebec.failing,
	"note": quebec.note,
} if {
	situation.under.quebec
}
