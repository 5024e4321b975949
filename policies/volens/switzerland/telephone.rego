package volens.switzerland

import data.volens.elsewhere
import data.volens.lib
import data.volens.situation

# METADATA
# title: Who has an asterisk or no entry in the directory is called within a business relationship only
# scope: rule
# custom:
#   id: CH-UCA-02
#   citation: UCA Art. 3(1)(u)-(w)
#   stage: 10
#   confidence: V
gate contains {"rule": "CH-UCA-02", "stage": 10} if _called

_called if {
	situation.family
	situation.live_call
}

# METADATA
# title: Who has an asterisk or no entry in the directory is called within a business relationship only
# description: Or on an opt-in that is later than the record of the listing (RULES D9(14)).
# scope: rule
# custom:
#   id: CH-UCA-02
#   citation: UCA Art. 3(1)(u)-(w)
#   stage: 5
#   confidence: V
deny contains {"rule": "CH-UCA-02", "stage": 5} if {
	_called
	_listed
	not _related
	not _agreed_since
}

_listed if input.signals.asterisk == true

_listed if count(_recorded) > 0

_recorded contains act.rank if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in {"phone", "any"}
}

_related if input.subject.is_customer == true

_related if count(relation) > 0

# METADATA
# description: The sales behind a call to someone who is listed, by position.
relation contains i if {
	_called
	_listed
	some i, act in input.acts
	_bought(act)
}

_agreed_since if {
	count(_recorded) > 0
	lib.latest(input.acts, elsewhere.consenting.CH) > max(_recorded)
}

# METADATA
# title: Who has an asterisk or no entry in the directory is called within a business relationship only
# description: The number of whoever calls is shown, and listed.
# scope: rule
# custom:
#   id: CH-UCA-02
#   citation: UCA Art. 3(1)(u)-(w)
#   stage: 13
#   confidence: V
deny contains {"rule": "CH-UCA-02", "stage": 13} if {
	_called
	elsewhere.defective
}
