package volens.ccpa

import data.volens.engine
import data.volens.situation

# METADATA
# title: Data brokers delete and don't sell who is on the DROP list
# description: A request that can't be matched is an opt-out of sale. Data of a direct relationship are outside.
# scope: rule
# custom:
#   id: USCA-DROP-01
#   citation: Civ. Code 1798.99.80-.99.89 (SB 362; SB 361); 11 CCR 7600 ff. (in force 1.1.2026)
#   stage: 5
#   confidence: V
deny contains {"rule": "USCA-DROP-01", "stage": 5} if {
	_drop_listed
	_broker
	_reached_by_drop
}

note contains {"rule": "USCA-DROP-01", "stage": 5} if _drop_listed

_drop_listed if input.flags.drop_listed == true

_drop_listed if {
	some act in input.acts
	act.action in {"drop_listed", "drop_unverified"}
}

_broker if {
	input.context.sender_is_data_broker == true
	not input.context.direct_relationship == true
}

_broker if {
	not _declared
	input.context.direct_relationship == false
}

_declared if input.context.sender_is_data_broker in {true, false}

_reached_by_drop if situation.discloses

_reached_by_drop if {
	not engine.untouchable
	not _unmatched
}

_unmatched if input.flags.drop_match == "unverified"

_unmatched if {
	not input.flags.drop_match
	not _listed_for_sure
	some act in input.acts
	act.action == "drop_unverified"
}

_listed_for_sure if input.flags.drop_listed == true

_listed_for_sure if {
	some act in input.acts
	act.action == "drop_listed"
}
