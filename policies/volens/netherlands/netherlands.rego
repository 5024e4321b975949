# METADATA
# title: The Netherlands
# description: The Telecommunications Act.
# related_resources:
# - https://wetten.overheid.nl/BWBR0009950
package volens.netherlands

import data.volens.eprivacy
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Calls to people need consent; charities may call those who gave
# description: |
#   So might every seller call its customers until 1.7.2026, under the conditions of the soft opt-in. Nothing among the
#   facts says lottery or newspaper, so their exception isn't used.
# scope: rule
# custom:
#   id: NL-TEL-01
#   citation: Telecommunicatiewet Art. 11.7 (as amended)
#   stage: 10
#   confidence: V
#   in_force: "2026-07-01"
gate contains {"rule": "NL-TEL-01", "stage": 10} if {
	situation.family
	situation.live_call
	not situation.business
}

basis contains "soft_opt_in" if count(related) > 0

# METADATA
# description: The sales and gifts that carry a call, by position.
# scope: document
related contains i if {
	situation.live_call
	_of_the_relation
	eprivacy.similar_offer
	gdpr.active
	some i, act in input.acts
	_begins(act)
	eprivacy.begins_relation(act)
}

_of_the_relation if eprivacy.own_purpose

_of_the_relation if {
	_charity
	situation.purpose == "fundraising"
}

_begins(act) if {
	act.action == "purchase"
	not "NL-TEL-01" in situation.begun
}

_begins(act) if {
	act.action in {"purchase", "support_given"}
	_charity
}

_charity if input.context.sender_is_charity == true
