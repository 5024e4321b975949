package volens.engine

import data.volens.lib
import data.volens.situation

# METADATA
# title: It is not certain that this reaches the person
# scope: rule
# custom:
#   id: ENG-ID-01
#   citation: GDPR Art. 5(1)(d),(f), 7(1); 47 CFR 64.1200(m) (reassigned numbers database)
#   stage: 0
#   confidence: K
deny contains {"rule": "ENG-ID-01", "stage": 0} if not identified

note contains {"rule": "ENG-ID-01", "stage": 0} if input.signals.number_reassigned == true

# METADATA
# description: Nobody doubts whose profile, and whose number, this is.
identified if {
	not input.flags.merge_unresolved
	not reassigned
}

# METADATA
# description: The number has passed to someone else, and whoever has it now has not opted in with it (RULES D10(6)).
reassigned if {
	_changed_hands
	not _confirmed_since
}

_changed_hands if {
	situation.channel in {"phone", "phone_auto", "sms", "messaging_app", "fax"}
	input.signals.number_reassigned == true
}

# METADATA
# description: True for the act of whoever had the number before it passed to someone else.
passed_on(act) if {
	_changed_hands
	not act.after_reassignment == true
}

_confirmed_since if {
	some act in input.acts
	act.action == _confirming
	act.after_reassignment == true
	not act.future
	lib.names_channel(act, situation.channel)
	lib.counts(act, situation.channel)
}

default _confirming := "opt_in"

_confirming := "opt_in_pending" if situation.purpose == "doi_confirmation"
