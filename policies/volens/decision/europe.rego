package volens.decision

import data.volens.eprivacy
import data.volens.gdpr
import data.volens.germany
import data.volens.situation

_said["gdpr"] := {
	"deny": gdpr.deny,
	"basis": gdpr.basis,
	"gate": gdpr.gate,
	"flaw": gdpr.flaw,
	"failing": gdpr.failing,
	"tried": (gdpr.tried | gdpr.futile),
	"note": gdpr.note,
	"relied": {"consent": gdpr.consenting},
	"refused": gdpr.standing,
	"lacking": object.keys(gdpr.permission),
} if {
	situation.under.gdpr
}

_said["eprivacy"] := {
	"deny": eprivacy.deny,
	"basis_in": eprivacy.basis_in,
	"gate": eprivacy.gate,
	"tried": eprivacy.tried,
	"note": eprivacy.note,
	"relied": {"soft_opt_in": eprivacy.soft},
} if {
	situation.under.eprivacy
}

_said["germany"] := {
	"deny": germany.deny,
	"basis": germany.basis,
	"gate": germany.gate,
	"flaw": germany.flaw,
	"failing": germany.failing,
	"note": germany.note,
} if {
	situation.under.germany
}
