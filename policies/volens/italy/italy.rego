# METADATA
# title: Italy
# description: The privacy code, the register of objections (RPO), and the rules about energy.
# related_resources:
# - https://www.normattiva.it/uri-res/N2Ls?urn:nir:stato:decreto.legislativo:2003-06-30;196
package volens.italy

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Mail and texts need consent, to people and businesses
# scope: rule
# custom:
#   id: IT-EM-01
#   citation: Codice privacy Art. 130(1)-(4)
#   stage: 10
#   confidence: K
gate contains {"rule": "IT-EM-01", "stage": 10} if {
	situation.family
	situation.channel in {"email", "sms"}
}

# METADATA
# title: Energy is offered by telephone on request or consent only
# scope: rule
# custom:
#   id: IT-TEL-02
#   citation: DL Bollette 2026 as converted (secondary sources)
#   stage: 10
#   confidence: V (secondary)
#   in_force: "2026-06-19"
deny contains {"rule": "IT-TEL-02", "stage": 10} if {
	_energy_by_telephone
	not input.context.requested_by_subject == true
	count(gdpr.consenting) == 0
}

note contains {"rule": "IT-TEL-02", "stage": 10} if _energy_by_telephone

_energy_by_telephone if {
	"IT-TEL-02" in situation.begun
	situation.family
	situation.channel in {"phone", "phone_auto", "sms"}
	input.context.topic in {"electricity_gas", "other"}
}
