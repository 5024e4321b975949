package volens.unknown

import data.volens.brazil
import data.volens.ccpa
import data.volens.elsewhere
import data.volens.gdpr
import data.volens.india
import data.volens.quebec
import data.volens.situation
import data.volens.us_states

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Refusals of sale, ads and the use of sensitive data bind everywhere (RULES D10(7)).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 5
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 5} if count(ccpa.deny) > 0

deny contains {"rule": "ENG-UNK-01", "stage": 5} if count(us_states.refused) > 0

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Children are neither followed nor handed on, a parent's consent or not.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 7
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 7} if {
	situation.minor
	_followed_or_handed_on
}

_followed_or_handed_on if situation.discloses

_followed_or_handed_on if {
	some reason in (brazil.deny | india.deny)
	reason.rule in {"BR-ECA-01", "IN-DPDP-02"}
}

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Sensitive data take consent to their use, and what Maryland and the Union ask besides.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 8
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 8} if {
	_about_data
	not _agreed_to_their_use
}

deny contains {"rule": "ENG-UNK-01", "stage": 8} if {
	_sensitive
	situation.purpose == "sale_share"
	"USMD-SEN-01" in situation.begun
}

deny contains {"rule": "ENG-UNK-01", "stage": 8} if {
	_sensitive
	not us_states.strictly_necessary
	"USMD-PROCESSING" in situation.begun
}

deny contains {"rule": "ENG-UNK-01", "stage": 8} if {
	some reason in gdpr.deny
	reason.rule in {"EU-POL-01", "EU-PRO-02"}
}

_sensitive if situation.purpose == "sensitive_use"

_sensitive if _about_data

_about_data if {
	situation.ordinary
	some field in ["sensitive", "special_category"]
	input.context[field]
}

_agreed_to_their_use if {
	some i in elsewhere.unbroken.ZZ
	not input.acts[i].covers_category == false
	us_states.about_data(input.acts[i])
}

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Messages rest on a profile only where the person switched profiling on, as in Quebec (CA-QC-01).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 10
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 10} if quebec.profiled_unasked
