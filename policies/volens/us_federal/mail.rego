package volens.us_federal

import data.volens.engine
import data.volens.situation

# METADATA
# title: Commercial mail is free until refused
# description: With a true header, a postal address and a way out.
# scope: rule
# custom:
#   id: US-CAN-02
#   citation: 15 U.S.C. 7704(a)(1)-(3),(5), 7702(2)
#   stage: 10
#   confidence: K
gate contains {"rule": "US-CAN-02", "stage": 10} if _commercial_mail

_commercial_mail if {
	situation.family
	situation.channel == "email"
}

# What the obligations of commercial mail are asked of: mail for which sensitive data are used is such mail (RULES D6).
_soliciting_mail if _commercial_mail

_soliciting_mail if {
	situation.purpose == "sensitive_use"
	situation.channel == "email"
}

basis contains "none" if {
	_commercial_mail
	not input.context.wireless_domain == true
}

# METADATA
# title: Commercial mail is free until refused
# scope: rule
# custom:
#   id: US-CAN-02
#   citation: 15 U.S.C. 7704(a)(1)-(3),(5), 7702(2)
#   stage: 13
#   confidence: K
deny contains {"rule": "US-CAN-02", "stage": 13} if {
	_soliciting_mail
	input.context.postal_address_present == false
}

deny contains {"rule": "US-CAN-02", "stage": 13} if {
	_soliciting_mail
	input.context.optout_in_message == false
}

deny contains {"rule": "US-CAN-02", "stage": 13} if {
	situation.channel == "email"
	not situation.duty
	input.context.sender_identified == false
}

# METADATA
# title: Wireless domains need express prior authorisation
# scope: rule
# custom:
#   id: US-CAN-05
#   citation: 47 CFR 64.3100
#   stage: 10
#   confidence: K
gate contains {"rule": "US-CAN-05", "stage": 10} if {
	_commercial_mail
	input.context.wireless_domain == true
}

# METADATA
# title: Transactional mail is exempt
# scope: rule
# custom:
#   id: US-CAN-03
#   citation: 15 U.S.C. 7702(17); 16 CFR 316.3
#   stage: 6
#   confidence: K
gate contains {"rule": "US-CAN-03", "stage": 6} if {
	situation.service
	situation.channel == "email"
}

tried contains {"rule": "US-CAN-03", "stage": 6} if situation.carries_promotion

# METADATA
# title: Who opted out gets no more mail
# scope: rule
# custom:
#   id: US-CAN-01
#   citation: 15 U.S.C. 7704(a)(3)-(4); 16 CFR 316.5
#   stage: 4
#   confidence: K
deny contains {"rule": "US-CAN-01", "stage": 4} if {
	_commercial_mail
	barred
}

# METADATA
# title: After an opt-out, affirmative consent opens again and a purchase doesn't
# scope: rule
# custom:
#   id: US-CAN-04
#   citation: 15 U.S.C. 7704(a)(4)(B), 7702(1)
#   stage: 4
#   confidence: K
note contains {"rule": "US-CAN-04", "stage": 4} if {
	_commercial_mail
	some i in engine.reaching
	some act in input.acts
	act.action in {"opt_in", "parental_consent", "purchase"}
	not act.future
	act.rank > input.acts[i].rank
}
