# METADATA
# title: The United Kingdom
# description: |
#   The Privacy and Electronic Communications Regulations 2003 (PECR), and where the UK GDPR differs from that of the
#   Union, as amended by the Data (Use and Access) Act 2025.
# related_resources:
# - https://www.legislation.gov.uk/uksi/2003/2426
package volens.uk

import data.volens.eprivacy
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Electronic mail to people needs consent, or the soft opt-in
# description: Sole traders are people, and so is a business of whose kind nothing is known.
# scope: rule
# custom:
#   id: GB-PEC-01
#   citation: PECR 2003 reg. 22(2), reg. 2(1)
#   stage: 10
#   confidence: K
gate contains {"rule": "GB-PEC-01", "stage": 10} if {
	_mail
	not _corporate
}

# METADATA
# title: Companies may be written to until they object
# scope: rule
# custom:
#   id: GB-PEC-04
#   citation: PECR reg. 22(1), 23; UK GDPR Art. 21(2)-(3)
#   stage: 10
#   confidence: K
gate contains {"rule": "GB-PEC-04", "stage": 10} if {
	_mail
	_corporate
}

basis contains "legitimate_interest" if {
	_mail
	_corporate
	_own_marketing
	gdpr.balanced
}

_mail if {
	_marketing
	electronic_mail
}

_corporate if input.subject.subscriber_type == "corporate"

# METADATA
# description: Whatever is stored until it is collected (PECR reg. 2(1)).
electronic_mail if situation.channel in {"email", "sms", "messaging_app", "social_dm"}

# Politics is marketing like any other here (RULES D10(14)).
_own_marketing if gdpr.own_marketing

_own_marketing if {
	situation.purpose == "political_ads"
	not situation.discloses
}

# METADATA
# title: Whoever writes or calls shows itself, and where to stop it
# scope: rule
# custom:
#   id: GB-PEC-07
#   citation: PECR reg. 23-24
#   stage: 13
#   confidence: K
deny contains {"rule": "GB-PEC-07", "stage": 13} if {
	eprivacy.can_be_stopped
	not research
	not situation.channel in {"post", "phone", "phone_auto"}
	input.context.optout_in_message == false
}

deny contains {"rule": "GB-PEC-07", "stage": 13} if {
	eprivacy.shows_itself
	situation.channel != "post"
	input.context.sender_identified == false
}

# METADATA
# title: Promotional push needs its own consent
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
