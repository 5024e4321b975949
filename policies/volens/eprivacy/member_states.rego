package volens.eprivacy

import data.volens.gdpr
import data.volens.lib
import data.volens.situation

# METADATA
# title: Each state says whether live calls need consent
# scope: rule
# custom:
#   id: EU-EPD-04
#   citation: ePrivacy Dir. Art. 13(3)
#   stage: 10
#   confidence: V (FR, NL), K
gate contains {"rule": "EU-EPD-04", "stage": 10} if {
	situation.family
	situation.live_call
}

basis_in[state] contains "legitimate_interest" if {
	situation.live_call
	gdpr.own_marketing
	gdpr.balanced
	some state in situation.under.eprivacy
	_called in lib.chosen(state, "calls_without_consent")
}

_called := "businesses" if situation.business

_called := "consumers" if not situation.business

# METADATA
# title: Each state says whether businesses are protected too
# scope: rule
# custom:
#   id: EU-EPD-05
#   citation: ePrivacy Dir. Art. 13(5)
#   stage: 10
#   confidence: K
gate contains {"rule": "EU-EPD-05", "stage": 10} if {
	situation.family
	situation.channel == "email"
	input.subject.b2b == true
}

basis_in[state] contains "legitimate_interest" if {
	situation.channel == "email"
	gdpr.own_marketing
	gdpr.balanced
	work_related
	some state in situation.under.eprivacy
	some kind in lib.chosen(state, "mail_without_consent")
	_of_kind(kind)
}

_of_kind("businesses") if situation.business

_of_kind("companies") if {
	situation.business
	input.subject.subscriber_type == "corporate"
}

# METADATA
# description: What is offered has to do with the person's work (RULES D9(16)).
work_related if input.context.related_to_profession == true

work_related if input.context.relevant_to_role == true
