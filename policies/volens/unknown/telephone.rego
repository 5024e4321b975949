package volens.unknown

import data.volens.france
import data.volens.situation
import data.volens.us_federal

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Consumers aren't called about energy renovation, as in France (FR-TEL-01).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 10
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 10} if {
	some reason in france.deny
	reason.rule == "FR-TEL-01"
}

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Nobody is called more often, or sooner after a refusal, than any law has it (FR-TEL-02, US-STQ-02).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 14
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 14} if {
	some reason in france.deny
	reason.rule == "FR-TEL-02"
}

deny contains {"rule": "ENG-UNK-01", "stage": 14} if {
	situation.family
	situation.channel in us_federal.telephone
	input.attempts.h24 >= data.volens.states.attempts.US
}
