# METADATA
# title: ePrivacy
# description: Directive 2002/58/EC, the rules of the Union about unsolicited communications and terminal equipment.
package volens.eprivacy

import data.volens.situation

# METADATA
# title: Electronic mail needs prior consent
# scope: rule
# custom:
#   id: EU-EPD-01
#   citation: ePrivacy Dir. Art. 13(1), 2(h), Rec. 40; CJEU C-102/20 StWL
#   stage: 10
#   confidence: K
gate contains {"rule": "EU-EPD-01", "stage": 10} if _electronic_mail

_electronic_mail if {
	situation.family
	situation.channel in {"email", "sms", "messaging_app", "social_dm", "fax"}
}

_electronic_mail if {
	situation.family
	situation.automatic_call
}

# METADATA
# title: Promotional push needs its own consent
# description: The dialog of the device is not one.
# scope: rule
# custom:
#   id: EU-EPD-06
#   citation: ePrivacy Dir. Art. 5(3), 13(1), 2(h); GDPR Art. 6(1)(a)
#   stage: 10
#   confidence: D
gate contains {"rule": "EU-EPD-06", "stage": 10} if {
	situation.family
	situation.channel == "push"
}

# METADATA
# title: Reading someone's device needs consent
# scope: rule
# custom:
#   id: EU-CON-13
#   citation: "ePrivacy Dir. Art. 5(3); EDPB Guidelines 2/2023 (v2, 2024); GB: PECR reg. 6 + Sch. A1 (DUAA s.112)"
#   stage: 10
#   confidence: V (DUAA s.112), K
gate contains {"rule": "EU-CON-13", "stage": 10} if situation.purpose in {"analytics", "email_tracking"}

# METADATA
# title: The sender shows itself, and where to stop it
# scope: rule
# custom:
#   id: EU-EPD-03
#   citation: ePrivacy Dir. Art. 13(4); E-Commerce Dir. 2000/31 Art. 5-6
#   stage: 13
#   confidence: K
deny contains {"rule": "EU-EPD-03", "stage": 13} if {
	can_be_stopped
	not situation.channel in {"post", "phone", "phone_auto"}
	input.context.optout_in_message == false
}

deny contains {"rule": "EU-EPD-03", "stage": 13} if {
	shows_itself
	situation.channel != "post"
	input.context.sender_identified == false
}

# METADATA
# description: What is sent tells how to stop it (RULES D10(12)).
# scope: document
can_be_stopped if situation.family

can_be_stopped if situation.purpose == "doi_confirmation"

# METADATA
# description: Whoever sends this says who it is.
shows_itself if situation.family

shows_itself if situation.service

shows_itself if situation.purpose == "doi_confirmation"
