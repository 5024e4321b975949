package volens.unknown

import data.volens.canada
import data.volens.gdpr
import data.volens.lib
import data.volens.us_federal

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: A text confirms a refusal within five minutes or not at all (US-TCPA-05).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 2
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 2} if us_federal.confirms_too_late

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Texts and automatic calls that serve need consent unless they are exempt (US-TCPA-11).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 6
#   confidence: P
gate contains {"rule": "ENG-UNK-01", "stage": 6} if us_federal.needs_consent_to_inform

deny contains {"rule": "ENG-UNK-01", "stage": 6} if {
	us_federal.needs_consent_to_inform
	count(informing) == 0
}

basis contains "consent" if count(informing) > 0

# METADATA
# description: The proven opt-ins to this kind of information, or to service in general, on this channel.
informing contains i if {
	some i in us_federal.informing
	lib.proven(input.acts[i])
}

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: A stop to one kind of text or automatic call ends the others too (US-TCPA-03).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 4
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 4} if count(us_federal.other_matters) > 0

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Data leave on adequacy or safeguards, as they do the Union (EU-TRF-01).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 12
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 12} if gdpr.unsafe_transfer

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: What serves is as complete as in Canada (CA-CASL-04); no mail but a duty hides its sender (US-CAN-02).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 13
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 13} if canada.incomplete

deny contains {"rule": "ENG-UNK-01", "stage": 13} if {
	some reason in us_federal.deny
	reason.rule == "US-CAN-02"
}
