package volens.us_states

import data.volens.engine
import data.volens.situation
import data.volens.us_federal

# METADATA
# title: Some states open later and close earlier
# scope: rule
# custom:
#   id: US-STQ-01
#   citation: Fla. Stat. 501.616(6); Okla. Stat. tit.15 775C.4; RCW 80.36.390; Tex. Bus. & Com. 301.051 (SB 140); Conn. Gen. Stat. 42-288a; ...
#   stage: 14
#   confidence: V (TX, FL, CT), K
late contains {"rule": "US-STQ-01", "stage": 14} if {
	engine.hours_bind
	"US-STQ-01" in engine.closed
}

note contains {"rule": "US-STQ-01", "stage": 14} if {
	engine.hours_bind
	some window in engine.windows
	window.rule == "US-STQ-01"
}

# METADATA
# title: Three solicitations in a day are enough
# scope: rule
# custom:
#   id: US-STQ-02
#   citation: Fla. Stat. 501.616(6)(b); Okla. Stat. tit.15 775C.4(B)
#   stage: 14
#   confidence: K
deny contains {"rule": "US-STQ-02", "stage": 14} if {
	some cap in _caps
	input.attempts.h24 >= cap
}

note contains {"rule": "US-STQ-02", "stage": 14} if count(_caps) > 0

_caps contains data.volens.states.attempts[place] if {
	_solicits
	some place in situation.under.us_states
}

_solicits if {
	situation.family
	situation.channel in us_federal.telephone
}

# METADATA
# title: Who asks not to be called or texted in Virginia is left alone for ten years
# description: Replies to texts have counted since 2026. Here no refusal expires.
# scope: rule
# custom:
#   id: US-VA-TEL-01
#   citation: Va. Code 59.1-514 (SB 1339)
#   stage: 4
#   confidence: V
deny contains {"rule": "US-VA-TEL-01", "stage": 4} if {
	_solicits
	us_federal.barred
	some place in situation.under.us_states
	place in data.volens.states.kept_refusals
}
