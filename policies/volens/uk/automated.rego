package volens.uk

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Machines decide alone on any lawful basis, with safeguards
# description: |
#   But on no recognised interest, and by special data only with explicit consent. Until 4 February 2026 as in the Union
#   (RULES D8).
# scope: rule
# custom:
#   id: GB-ADM-01
#   citation: UK GDPR Art. 22A-22D (DUAA s.80)
#   stage: 9
#   confidence: V
#   in_force: "2026-02-05"
gate contains {"rule": "GB-ADM-01", "stage": 9} if gdpr.significant

basis contains "legitimate_interest" if {
	gdpr.significant
	_reformed
	gdpr.balanced
}

_reformed if "GB-ADM-01" in situation.begun

deny contains {"rule": "GB-ADM-01", "stage": 9} if {
	gdpr.significant
	not _safeguarded
}

_safeguarded if {
	every safeguard in _safeguards {
		safeguard in input.context.safeguards
	}
}

_safeguards := {"information", "representations", "human_intervention", "contest"} if _reformed

_safeguards := {"human_intervention", "representations", "contest", "explanation"} if not _reformed

deny contains {"rule": "GB-ADM-01", "stage": 9} if {
	gdpr.significant
	_reformed
	input.context.basis_claimed in {"recognised_legitimate_interest", "other"}
}

deny contains {"rule": "GB-ADM-01", "stage": 9} if {
	gdpr.significant
	not _reformed
	situation.minor
}

flaw contains {"act": i, "rule": "GB-ADM-01", "stage": 9} if {
	gdpr.significant
	not _reformed
	some i, act in gdpr.permission
	not act.explicit == true
}
