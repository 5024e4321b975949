package volens.uk

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Below thirteen consent needs a parent
# scope: rule
# custom:
#   id: GB-AGE-01
#   citation: UK GDPR Art. 8
#   stage: 7
#   confidence: V
flaw contains {"act": i, "rule": "GB-AGE-01", "stage": 7} if {
	some i, act in gdpr.permission
	act.action == "opt_in"
	not gdpr.of_age(act, data.volens.ages.consent.GB)
	not gdpr.authorised
}

note contains {"rule": "GB-AGE-01", "stage": 7} if {
	situation.ordinary
	situation.minor
}
