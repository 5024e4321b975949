package volens.us_federal

import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: Automatic calls and texts need prior express written consent
# scope: rule
# custom:
#   id: US-TCPA-01
#   citation: 47 U.S.C. 227(b)(1); 47 CFR 64.1200(a)(1)-(3),(f)(9); FCC 24-17
#   stage: 10
#   confidence: K
gate contains {"rule": "US-TCPA-01", "stage": 10} if _asks_for_writing

# METADATA
# title: Listed numbers are not solicited
# description: But for written permission or an established relationship.
# scope: rule
# custom:
#   id: US-TCPA-06
#   citation: 47 CFR 64.1200(c)(2),(e),(f)(5),(f)(15); 47 CFR 64.1200(c)(2)(i)(D)
#   stage: 5
#   confidence: K
deny contains {"rule": "US-TCPA-06", "stage": 5} if {
	_solicited_by_telephone
	_listed
	not _excused
}

note contains {"rule": "US-TCPA-06", "stage": 5} if {
	_solicited_by_telephone
	_listed
}

note contains {"rule": "US-TCPA-06", "stage": 5} if _called_by_a_person

_solicited_by_telephone if {
	situation.family
	situation.channel in telephone
}

_called_by_a_person if {
	situation.family
	situation.live_call
}

_listed if input.signals.ndnc_listed == true

_listed if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in (telephone | {"any"})
}

_excused if count(written) > 0

_excused if count(related) > 0

# METADATA
# description: |
#   Purchases and inquiries that make an established business relationship, by position. A refusal ends it.
related contains i if {
	_solicited_by_telephone
	some i, act in input.acts
	act.months_past < data.volens.periods.ebr[act.action]
	not act.future
	not act.person
	not act.seller == "other"
	not withdrawn(act)
}

basis contains "none" if _called_by_a_person

# METADATA
# title: A reassigned number is someone else's
# scope: rule
# custom:
#   id: US-TCPA-09
#   citation: 47 CFR 64.1200(m)
#   stage: 0
#   confidence: K
deny contains {"rule": "US-TCPA-09", "stage": 0} if {
	situation.channel in telephone
	engine.reassigned
}

note contains {"rule": "US-TCPA-09", "stage": 0} if {
	situation.channel in telephone
	input.signals.number_reassigned == true
}

# METADATA
# title: Not before eight, not after nine
# scope: rule
# custom:
#   id: US-TCPA-08
#   citation: 47 CFR 64.1200(c)(1), (f)(15); FCC public notice 11.3.2025
#   stage: 14
#   confidence: V, D
late contains {"rule": "US-TCPA-08", "stage": 14} if {
	engine.hours_bind
	"US-TCPA-08" in engine.closed
}

note contains {"rule": "US-TCPA-08", "stage": 14} if engine.hours_bind

# METADATA
# title: Exempt information may be sent
# scope: rule
# custom:
#   id: US-TCPA-10
#   citation: 47 U.S.C. 227(b)(1)(A)-(B); 47 CFR 64.1200(a)(9); FCC 24-24 paras 30-31
#   stage: 6
#   confidence: V, K
gate contains {"rule": "US-TCPA-10", "stage": 6} if {
	situation.service
	situation.channel in telephone
	input.context.exempt_informational == true
}

tried contains {"rule": "US-TCPA-10", "stage": 6} if {
	situation.carries_promotion
	situation.channel in telephone
	input.context.exempt_informational == true
}

# METADATA
# title: Other information needs prior express consent
# scope: rule
# custom:
#   id: US-TCPA-11
#   citation: 47 CFR 64.1200(a)(1)
#   stage: 6
#   confidence: K
gate contains {"rule": "US-TCPA-11", "stage": 6} if needs_consent_to_inform

# METADATA
# description: A text or an automatic call that serves, and isn't exempt.
needs_consent_to_inform if {
	situation.service
	_machine_sent
	not input.context.exempt_informational == true
}

basis contains "contract" if {
	situation.service
	not needs_consent_to_inform
}

basis contains "consent" if {
	needs_consent_to_inform
	count(informing) > 0
}

basis contains "consent" if {
	situation.service
	engine.restricted
	engine.agreed_during_restriction
	not needs_consent_to_inform
}

# METADATA
# description: The opt-ins to this kind of information, or to service in general, on this channel.
informing contains i if {
	needs_consent_to_inform
	some i, act in input.acts
	act.action == "opt_in"
	act.channel == situation.channel
	act.purpose in {situation.purpose, "service"}
	not act.evidence == "null"
	lib.names_sender(act)
	intact(act, situation.channel)
	not _stopped(act)
	not withdrawn(act)
}

_stopped(act) if act.rank <= _last_stop[act.purpose]

_last_stop[purpose] := max(ranks) if {
	some purpose in situation.service_purposes
	ranks := {act.rank |
		some act in input.acts
		_revokes(act)
		act.purpose == purpose
		act.channel in {situation.channel, "any"}
	}
}

# METADATA
# title: One confirmation, within five minutes, without marketing
# scope: rule
# custom:
#   id: US-TCPA-05
#   citation: 47 CFR 64.1200(a)(12) (since 4.4.2024)
#   stage: 2
#   confidence: V
gate contains {"rule": "US-TCPA-05", "stage": 2} if _confirms_by_text

_confirms_by_text if {
	situation.purpose == "optout_confirmation"
	situation.channel == "sms"
}

_in_time if {
	some act in input.acts
	act.minutes5 == true
	act.channel in (telephone | {"any"})
}

# METADATA
# description: A text that confirms a refusal later than five minutes after it.
confirms_too_late if {
	_confirms_by_text
	not _in_time
}

tried contains {"rule": "US-TCPA-05", "stage": 2} if {
	situation.carries_promotion
	input.question.purpose == "optout_confirmation"
}

basis contains "none" if {
	_confirms_by_text
	engine.confirmable
	_in_time
}

basis contains "none" if {
	situation.purpose == "optout_confirmation"
	not _confirms_by_text
	engine.confirmable
}

basis contains "none" if {
	situation.purpose == "doi_confirmation"
	count(_pending) > 0
	not engine.confirmed_already
}
