package volens.canada

import data.volens.elsewhere
import data.volens.engine
import data.volens.situation

# METADATA
# title: Listed numbers are not called, and nobody outside the hours
# description: Calls by people are free until refused. Consent or a relationship beats the list (RULES D4, D10(5)).
# scope: rule
# custom:
#   id: CA-DNCL-01
#   citation: CRTC Unsolicited Telecommunications Rules Parts II-III
#   stage: 5
#   confidence: K
deny contains {"rule": "CA-DNCL-01", "stage": 5} if {
	_solicited_by_telephone
	_listed
	some place in situation.under.canada
	not _excused(place)
}

note contains {"rule": "CA-DNCL-01", "stage": 5} if _solicited_by_telephone

gate contains {"rule": "CA-DNCL-01", "stage": 5} if _called_by_a_person

basis contains "none" if _called_by_a_person

_called_by_a_person if {
	situation.family
	situation.live_call
}

_telephone if situation.channel in {"phone", "phone_auto"}

_solicited_by_telephone if {
	situation.family
	_telephone
}

_listed if input.signals.dncl_listed == true

_listed if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in {"phone", "phone_auto", "any"}
}

_excused(place) if count(elsewhere.consenting[place]) > 0

_excused(_) if count(related) > 0

# METADATA
# description: Purchases and inquiries that make an established business relationship, by position.
related contains i if {
	_solicited_by_telephone
	some i, act in input.acts
	_relation(act, data.volens.periods.dncl)
}

# METADATA
# title: Listed numbers are not called, and nobody outside the hours
# description: Nor those on the caller's own list.
# scope: rule
# custom:
#   id: CA-DNCL-01
#   citation: CRTC Unsolicited Telecommunications Rules Parts II-III
#   stage: 4
#   confidence: K
deny contains {"rule": "CA-DNCL-01", "stage": 4} if {
	_telephone
	_among(elsewhere.barred)
}

# METADATA
# title: Listed numbers are not called, and nobody outside the hours
# scope: rule
# custom:
#   id: CA-DNCL-01
#   citation: CRTC Unsolicited Telecommunications Rules Parts II-III
#   stage: 14
#   confidence: K
late contains {"rule": "CA-DNCL-01", "stage": 14} if {
	engine.hours_bind
	"CA-DNCL-01" in engine.closed
}
