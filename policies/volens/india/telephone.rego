package volens.india

import data.volens.elsewhere
import data.volens.engine
import data.volens.situation

# METADATA
# title: Who wants no promotion is called or texted on registered consent only, and nobody at night
# scope: rule
# custom:
#   id: IN-TRAI-01
#   citation: TCCCPR 2018 (am. 2025)
#   stage: 5
#   confidence: K
deny contains {"rule": "IN-TRAI-01", "stage": 5} if {
	_promoted_by_telephone
	_unwanted
	not _registered
}

note contains {"rule": "IN-TRAI-01", "stage": 5} if _promoted_by_telephone

_telephone := {"phone", "phone_auto", "sms"}

_promoted_by_telephone if {
	situation.family
	situation.channel in _telephone
}

_unwanted if input.signals.dnd_registered == true

_unwanted if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in (_telephone | {"any"})
}

_registered if {
	some i in elsewhere.unbroken.IN
	input.acts[i].method == "dlt"
}

# METADATA
# title: Who wants no promotion is called or texted on registered consent only, and nobody at night
# scope: rule
# custom:
#   id: IN-TRAI-01
#   citation: TCCCPR 2018 (am. 2025)
#   stage: 14
#   confidence: K
late contains {"rule": "IN-TRAI-01", "stage": 14} if {
	engine.hours_bind
	"IN-TRAI-01" in engine.closed
}
