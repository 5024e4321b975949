# METADATA
# title: India
# description: |
#   The Digital Personal Data Protection Act, whose duties begin with its reform, and the rules about commercial calls
#   and texts. How a consent is given is in elsewhere.
package volens.india

import data.volens.elsewhere
import data.volens.situation

_reformed if "IN-DPDP" in situation.begun

# Until the duties begin, mail, texts and calls are free until refused, and so is what has no row (RULES D4, D10(13)).
basis contains "none" if {
	not _reformed
	_free
}

_free if {
	situation.family
	situation.channel in {"email", "sms"}
}

_free if {
	situation.family
	situation.live_call
}

_free if {
	situation.purpose in {
		"personalization",
		"profiling",
		"analytics",
		"email_tracking",
		"targeted_ads",
		"sale_share",
		"fip_enrolment",
		"adm",
	}
}

# METADATA
# title: Processing needs free, specific and informed consent
# scope: rule
# custom:
#   id: IN-DPDP-01
#   citation: DPDP Act 2023 s.5-6; DPDP Rules 2025 (G.S.R. 846(E)) r.1, 3-4, 14
#   stage: 10
#   confidence: V
gate contains {"rule": "IN-DPDP-01", "stage": 10} if {
	situation.ordinary
	_reformed
}

# METADATA
# title: Processing needs free, specific and informed consent
# description: Which is withdrawn as easily as it is given.
# scope: rule
# custom:
#   id: IN-DPDP-01
#   citation: DPDP Act 2023 s.5-6; DPDP Rules 2025 (G.S.R. 846(E)) r.1, 3-4, 14
#   stage: 4
#   confidence: V
deny contains {"rule": "IN-DPDP-01", "stage": 4} if {
	_reformed
	"IN" in elsewhere.barred
}
