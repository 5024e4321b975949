package volens.decision

import data.volens.austria
import data.volens.eprivacy
import data.volens.france
import data.volens.gdpr
import data.volens.germany
import data.volens.ireland
import data.volens.italy
import data.volens.netherlands
import data.volens.norway
import data.volens.poland
import data.volens.registers
import data.volens.situation
import data.volens.spain
import data.volens.switzerland
import data.volens.uk

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
	"basis": germany.basis,
	"gate": germany.gate,
	"flaw": germany.flaw,
	"failing": germany.failing,
	"note": germany.note,
} if {
	situation.under.germany
}

_said["registers"] := {
	"deny": registers.deny,
	"note": registers.note,
} if {
	situation.under.registers
}

_said["austria"] := {"gate": austria.gate} if situation.under.austria

_said["france"] := {
	"deny": france.deny,
	"basis": france.basis,
	"gate": france.gate,
	"flaw": france.flaw,
	"note": france.note,
	"late": france.late,
} if {
	situation.under.france
}

_said["ireland"] := {
	"failing": ireland.failing,
	"note": ireland.note,
} if {
	situation.under.ireland
}

_said["italy"] := {
	"deny": italy.deny,
	"gate": italy.gate,
	"note": italy.note,
} if {
	situation.under.italy
}

_said["netherlands"] := {
	"basis": netherlands.basis,
	"gate": netherlands.gate,
	"relied": {"soft_opt_in": netherlands.related},
} if {
	situation.under.netherlands
}

_said["norway"] := {"gate": norway.gate} if situation.under.norway

_said["poland"] := {"gate": poland.gate} if situation.under.poland

_said["spain"] := {
	"gate": spain.gate,
	"flaw": spain.flaw,
	"note": spain.note,
	"late": spain.late,
} if {
	situation.under.spain
}

_said["switzerland"] := {
	"deny": switzerland.deny,
	"basis": switzerland.basis,
	"gate": switzerland.gate,
	"failing": switzerland.failing,
	"note": switzerland.note,
	"relied": {"soft_opt_in": switzerland.soft},
	"related": switzerland.relation,
} if {
	situation.under.switzerland
}

_said["uk"] := {
	"deny": uk.deny,
	"basis": uk.basis,
	"gate": uk.gate,
	"flaw": uk.flaw,
	"failing": uk.failing,
	"tried": uk.tried,
	"note": uk.note,
	"relied": {"soft_opt_in": uk.soft},
} if {
	situation.under.uk
}
