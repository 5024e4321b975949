package volens.us_states

import data.volens.situation

# METADATA
# title: Universal opt-out signals are honoured
# description: Where a law says so, and elsewhere by policy. A later opt-in to just this answers the signal.
# scope: rule
# custom:
#   id: USST-UOOM-01
#   citation: C.R.S. 6-1-1306(1)(a)(IV); Conn. 42-520(e); Tex. 541.055(e); Md. 14-4707; Or. ORS 646A.574 (1.1.2026) ...
#   stage: 5
#   confidence: V
deny contains {"rule": "USST-UOOM-01", "stage": 5} if {
	_signalled
	_binding
	not _answered
}

deny contains {"rule": "USST-UOOM-01", "stage": 5} if {
	some i in standing
	input.acts[i].action == "gpc"
}

note contains {"rule": "USST-UOOM-01", "stage": 5} if _signalled

note contains {"rule": "USST-UOOM-01", "stage": 5} if input.signals.unlinked_browser_gpc == true

_signalled if {
	input.signals.gpc == true
	_opposed
}

_opposed if situation.discloses

_opposed if situation.purpose == "profiling"

_binding if not input.context.policy.honour_gpc_everywhere == false

_binding if {
	situation.discloses
	some place
	input.clock.law_day >= law[place].signal
}

_answered if _latest_opening > input.signals.gpc_first_seen
