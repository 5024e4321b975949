package volens.us_states

import data.volens.situation
import data.volens.us_federal

# METADATA
# title: The young are sold and targeted with an opt-in, or not at all
# description: Of children below thirteen it is the parents'.
# scope: rule
# custom:
#   id: USST-MIN-01
#   citation: Md. 14-4707(a)(4)-(5); Conn. SB 1295 (PA 25-113); Or. HB 2008; N.J.S.A. 56:8-166.12; Del. 6 Del. C. 12D-106; NH RSA 507-H:6; Minn. 325M.16
#   stage: 7
#   confidence: V (MD, OR, NJ, NH, CT), K
deny contains {"rule": "USST-MIN-01", "stage": 7} if {
	some teens in _teens
	teens.ban in situation.younger_than
}

deny contains {"rule": "USST-MIN-01", "stage": 7} if {
	some teens in _teens
	teens.consent in situation.younger_than
	count(agreeing) == 0
}

deny contains {"rule": "USST-MIN-01", "stage": 7} if {
	count(_teens) > 0
	data.volens.ages.coppa in situation.younger_than
	count(us_federal.parental) == 0
}

note contains {"rule": "USST-MIN-01", "stage": 7} if {
	situation.discloses
	situation.minor
}

# What each place says of them now.
_teens contains _band(place) if {
	situation.discloses
	some place in situation.under.us_states
}

_band(place) := teens if {
	teens := law[place].teens
	_begun(teens)
} else := data.volens.states.teens

_begun(teens) if not teens.since

_begun(teens) if teens.since in situation.begun
