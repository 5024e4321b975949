package volens.uk

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Nobody is called who objected, or who is listed and has not agreed
# description: On opt-out, with the balancing test on file. Pensions and claims management need consent (reg. 21A, 21B).
# scope: rule
# custom:
#   id: GB-PEC-05
#   citation: PECR reg. 21, 21A, 21B, 24, 26
#   stage: 10
#   confidence: K
gate contains {"rule": "GB-PEC-05", "stage": 10} if _called

basis contains "legitimate_interest" if {
	_called
	_own_marketing
	gdpr.balanced
	not _on_consent_only
}

_on_consent_only if input.context.topic in {"pensions", "claims_management", "other"}

_called if {
	_marketing
	situation.live_call
}

# METADATA
# title: Nobody is called who objected, or who is listed and has not agreed
# description: Consent to this caller, of any date, beats the lists; the 28 days are not waited for (RULES D9(14)).
# scope: rule
# custom:
#   id: GB-PEC-05
#   citation: PECR reg. 21, 21A, 21B, 24, 26
#   stage: 5
#   confidence: K
deny contains {"rule": "GB-PEC-05", "stage": 5} if {
	_called
	_listed
	count(gdpr.consenting) == 0
}

_listed if input.signals.tps_listed == true

_listed if input.signals.ctps_listed == true

_listed if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in {"phone", "any"}
}

# METADATA
# title: Nobody is called who objected, or who is listed and has not agreed
# scope: rule
# custom:
#   id: GB-PEC-05
#   citation: PECR reg. 21, 21A, 21B, 24, 26
#   stage: 4
#   confidence: K
deny contains {"rule": "GB-PEC-05", "stage": 4} if {
	_called
	gdpr.barred
}

# METADATA
# title: Automatic calls need consent to automatic calls
# scope: rule
# custom:
#   id: GB-PEC-06
#   citation: PECR reg. 19
#   stage: 10
#   confidence: K
gate contains {"rule": "GB-PEC-06", "stage": 10} if {
	_marketing
	situation.automatic_call
}

# Consent to calls is none to machines that call.
flaw contains {"act": i, "rule": "GB-PEC-06", "stage": 10} if {
	_marketing
	situation.automatic_call
	some i, act in gdpr.permission
	act.channel == "phone"
}
