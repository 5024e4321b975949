package volens.elsewhere

import data.volens.engine
import data.volens.eprivacy
import data.volens.situation

# Messages that serve the relation need nobody's consent (RULES D9(17)).
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

basis contains "none" if {
	situation.purpose == "doi_confirmation"
	count(_pending) > 0
	not engine.confirmed_already
}

# METADATA
# title: No rule grants permission
# description: A message without a way out, or without a sender, has none that could.
# scope: rule
# custom:
#   id: ENG-DENY-01
#   citation: GDPR Art. 5(1)(a), 5(2), 6(1), 24, 25(2)
#   stage: 13
#   confidence: K
deny contains {"rule": "ENG-DENY-01", "stage": 13} if defective

# METADATA
# description: The message is said to lack a way out, or to hide its sender.
defective if {
	eprivacy.can_be_stopped
	not situation.channel in {"post", "phone", "phone_auto"}
	input.context.optout_in_message == false
}

defective if {
	_from_somebody
	situation.channel != "post"
	input.context.sender_identified == false
}

_from_somebody if situation.family

_from_somebody if situation.service

_from_somebody if situation.purpose == "doi_confirmation"
