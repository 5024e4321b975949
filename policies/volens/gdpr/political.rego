package volens.gdpr

import data.volens.situation

_in_force if {
	situation.european_perhaps
	situation.purpose == "political_ads"
	"EU-POL-01" in situation.begun
}

# METADATA
# title: Political advertising needs separate explicit consent
# description: Never to the very young, and never by special categories.
# scope: rule
# custom:
#   id: EU-POL-01
#   citation: Reg. (EU) 2024/900 Art. 18
#   stage: 8
#   confidence: K
#   in_force: "2025-10-10"
gate contains {"rule": "EU-POL-01", "stage": 8} if _in_force

flaw contains {"act": i, "rule": "EU-POL-01", "stage": 8} if {
	_in_force
	some i, act in permission
	not act.explicit == true
}

deny contains {"rule": "EU-POL-01", "stage": 8} if {
	_in_force
	special
}

deny contains {"rule": "EU-POL-01", "stage": 8} if {
	_in_force
	data.volens.ages.political in situation.younger_than
}
