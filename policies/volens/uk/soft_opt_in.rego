package volens.uk

import data.volens.eprivacy
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Own customers, and those who negotiated, about similar products
# description: Each address was given to the sender itself, with a way to refuse then and in each message.
# scope: rule
# custom:
#   id: GB-PEC-02
#   citation: PECR reg. 22(3)
#   stage: 10
#   confidence: V
tried contains {"rule": "GB-PEC-02", "stage": 10} if {
	situation.family
	electronic_mail
	_customer
	count(_sales) == 0
}

note contains {"rule": "GB-PEC-02", "stage": 10} if count(_sales) > 0

_customer if input.subject.is_customer == true

_customer if {
	some act in input.acts
	_traded(act)
}

_traded(act) if act.action == "purchase"

_traded(act) if _asked_about(act)

# An account is a sale where a paid tier pays for it (RULES section 13).
_traded(act) if {
	act.action == "free_account"
	act.indirect_remuneration == true
}

# Who asks for help negotiates nothing (RULES D9(15)).
_asked_about(act) if {
	act.action == "inquiry"
	not act.purpose == "support"
}

_sales contains i if {
	electronic_mail
	eprivacy.own_purpose
	eprivacy.similar_offer
	gdpr.active
	some i, act in input.acts
	_traded(act)
	eprivacy.begins_relation(act)
}

# METADATA
# title: Charities may write to those who support them
# description: Not by details that were collected before the rule began.
# scope: rule
# custom:
#   id: GB-PEC-03
#   citation: PECR reg. 22(3A) (DUAA s.114; SI 2026/82); ICO guidance spring 2026
#   stage: 10
#   confidence: V
#   in_force: "2026-02-05"
tried contains {"rule": "GB-PEC-03", "stage": 10} if {
	"GB-PEC-03" in situation.begun
	situation.family
	electronic_mail
	_charitable
	count(_supports) == 0
}

note contains {"rule": "GB-PEC-03", "stage": 10} if count(_supports) > 0

_charitable if situation.purpose == "fundraising"

_charitable if input.context.sender_is_charity == true

_charitable if {
	some act in input.acts
	act.action == "support_given"
}

_supports contains i if {
	electronic_mail
	_for_charity
	gdpr.active
	some i, act in input.acts
	_supported(act)
	act.law_day >= data.volens.in_force["GB-PEC-03"]
	not act.method == "list"
	eprivacy.begins_relation(act)
}

_for_charity if {
	gdpr.own_marketing
	eprivacy.own_offer
	input.context.sender_is_charity == true
	input.context.sole_charitable_purpose == true
}

_supported(act) if act.action == "support_given"

_supported(act) if _asked_about(act)

# METADATA
# description: The sales, negotiations and gifts that carry a soft opt-in, by position.
soft := _sales | _supports

basis contains "soft_opt_in" if count(soft) > 0
