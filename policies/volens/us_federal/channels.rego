package volens.us_federal

import data.volens.situation

# Channels without a row are free; those that carry private messages need consent (RULES D9(18)).
basis contains "none" if {
	situation.family
	situation.channel in {"post", "web", "in_app", "push", "ads"}
}

basis contains "consent" if {
	situation.family
	count(sufficient) > 0
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

gate contains {"rule": "EU-SVC-03", "stage": 2} if {
	situation.purpose == "optout_confirmation"
	not _confirms_by_text
}

basis contains "legal_obligation" if situation.duty

# METADATA
# title: It is not certain that this reaches the person
# scope: rule
# custom:
#   id: ENG-ID-01
#   citation: GDPR Art. 5(1)(d),(f), 7(1); 47 CFR 64.1200(m) (reassigned numbers database)
#   stage: 10
#   confidence: K
failing contains {"rule": "ENG-ID-01", "stage": 10} if {
	situation.ordinary
	some act in input.acts
	act.action in {"opt_in", "parental_consent"}
	"other" in {object.get(act, field, "") | some field in ["address", "person"]}
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
deny contains {"rule": "ENG-DENY-01", "stage": 13} if {
	situation.family
	situation.channel in {"sms", "messaging_app", "social_dm", "fax", "push"}
	input.context.optout_in_message == false
}

deny contains {"rule": "ENG-DENY-01", "stage": 13} if {
	situation.family
	situation.channel in {"sms", "messaging_app", "social_dm", "fax", "push", "phone", "phone_auto"}
	input.context.sender_identified == false
}
