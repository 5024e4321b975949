package volens.ccpa

import data.volens.situation
import data.volens.us_federal

_minor if data.volens.ages.sale.own in situation.younger_than

_child if data.volens.ages.sale.parent in situation.younger_than

# METADATA
# title: Children are not sold without their parents
# scope: rule
# custom:
#   id: USCA-MIN-01
#   citation: Civ. Code 1798.120(c)-(d); 11 CCR 7070
#   stage: 7
#   confidence: V
deny contains {"rule": "USCA-MIN-01", "stage": 7} if {
	situation.discloses
	_child
	count(us_federal.parental) == 0
}

note contains {"rule": "USCA-MIN-01", "stage": 7} if {
	situation.discloses
	_child
}

# METADATA
# title: From thirteen to fifteen the minor opts in, in two steps
# scope: rule
# custom:
#   id: USCA-MIN-02
#   citation: Civ. Code 1798.120(c)-(d); 11 CCR 7071
#   stage: 7
#   confidence: V
deny contains {"rule": "USCA-MIN-02", "stage": 7} if {
	situation.discloses
	_minor
	not _child
	count(own_opt_in) == 0
}

note contains {"rule": "USCA-MIN-02", "stage": 7} if {
	situation.discloses
	situation.minor
}

# METADATA
# description: The opt-ins that a minor gave at an age that counts.
own_opt_in contains i if {
	some i in confirmed
	input.acts[i].age >= data.volens.ages.sale.parent
}

# METADATA
# title: Ignoring the signs of a child is knowing
# scope: rule
# custom:
#   id: USCA-MIN-03
#   citation: Civ. Code 1798.120(c)
#   stage: 7
#   confidence: V
deny contains {"rule": "USCA-MIN-03", "stage": 7} if {
	situation.discloses
	situation.childlike
	count(us_federal.parental) == 0
}

note contains {"rule": "USCA-MIN-03", "stage": 7} if situation.childlike
