package volens.gdpr

import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: Service messages are no marketing
# scope: rule
# custom:
#   id: EU-SVC-01
#   citation: GDPR Art. 6(1)(b),(c),(f); ePrivacy Dir. Art. 13; ICO direct-marketing guidance
#   stage: 6
#   confidence: K
gate contains {"rule": "EU-SVC-01", "stage": 6} if situation.service

basis contains "contract" if situation.service

basis contains "consent" if {
	situation.service
	engine.restricted
	engine.agreed_during_restriction
}

# METADATA
# title: A message with any promotion is marketing
# scope: rule
# custom:
#   id: EU-SVC-02
#   citation: CJEU C-654/23; BGH 10.7.2018 VI ZR 225/17; ICO guidance
#   stage: 6
#   confidence: V (C-654/23), K
note contains {"rule": "EU-SVC-02", "stage": 6} if situation.carries_promotion

note contains {"rule": "EU-SVC-02", "stage": 6} if situation.purpose == "survey"

note contains {"rule": "EU-SVC-02", "stage": 6} if {
	situation.family
	input.context.message
}

# METADATA
# title: What a law obliges the controller to tell is told
# scope: rule
# custom:
#   id: EU-SVC-03
#   citation: GDPR Art. 6(1)(c), 12(3)-(4), 34
#   stage: 2
#   confidence: K
gate contains {"rule": "EU-SVC-03", "stage": 2} if situation.duty

gate contains {"rule": "EU-SVC-03", "stage": 2} if situation.purpose == "optout_confirmation"

basis contains "legal_obligation" if situation.duty

basis contains "none" if {
	situation.purpose == "optout_confirmation"
	engine.confirmable
}

tried contains {"rule": "EU-SVC-03", "stage": 2} if {
	situation.carries_promotion
	input.question.purpose in situation.duties
}

# METADATA
# title: Recalls reach the customers concerned, and safety data serve nothing else
# scope: rule
# custom:
#   id: EU-SVC-04
#   citation: Reg. (EU) 2023/988 (GPSR) Art. 35-36
#   stage: 2
#   confidence: K
gate contains {"rule": "EU-SVC-04", "stage": 2} if {
	situation.european
	situation.duty
	input.context.notice == "recall"
}

# METADATA
# title: Recalls reach the customers concerned, and safety data serve nothing else
# scope: rule
# custom:
#   id: EU-SVC-04
#   citation: Reg. (EU) 2023/988 (GPSR) Art. 35-36
#   stage: 10
#   confidence: K
tried contains {"rule": "EU-SVC-04", "stage": 2} if {
	situation.european
	situation.carries_promotion
	input.question.purpose in situation.duties
	input.context.notice == "recall"
}

failing contains {"rule": "EU-SVC-04", "stage": 10} if {
	situation.european
	situation.family
	some act in input.acts
	act.purpose == "product_safety"
}

# METADATA
# title: The address is confirmed by a second step
# description: One mail without advertising may ask for it.
# scope: rule
# custom:
#   id: DE-DOI-01
#   citation: BGH 10.2.2011 I ZR 164/09; UWG s.7(2); GDPR Art. 7(1); contra confirmation mail OLG Muenchen 27.9.2012 29 U 1682/12
#   stage: 10
#   confidence: K/D
gate contains {"rule": "DE-DOI-01", "stage": 10} if input.question.purpose == "doi_confirmation"

basis contains "legitimate_interest" if {
	situation.purpose == "doi_confirmation"
	count(_pending) > 0
	not engine.confirmed_already
}

_pending contains i if {
	some i, act in input.acts
	act.action == "opt_in_pending"
	not act.future
	lib.names_channel(act, situation.channel)
	_of_the_person(act)
}
