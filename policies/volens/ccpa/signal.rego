package volens.ccpa

import data.volens.engine
import data.volens.situation
import data.volens.us_federal

# METADATA
# title: Global Privacy Control is an opt-out
# description: Of the browser, of every profile that goes with it, and of the person where known.
# scope: rule
# custom:
#   id: USCA-GPC-01
#   citation: "Civ. Code 1798.135(b),(e); 11 CCR 7025(b)-(c)(1)-(2); GPC spec (Sec-GPC: 1)"
#   stage: 5
#   confidence: V
deny contains {"rule": "USCA-GPC-01", "stage": 5} if _signal_binds

deny contains {"rule": "USCA-GPC-01", "stage": 5} if _was_signalled

note contains {"rule": "USCA-GPC-01", "stage": 5} if input.signals.unlinked_browser_gpc == true

note contains {"rule": "USCA-GPC-01", "stage": 5} if {
	situation.discloses
	input.signals.gpc == true
}

_signal_binds if {
	situation.discloses
	input.signals.gpc == true
	count(_after_conflict) == 0
	not _excepted
}

_was_signalled if {
	some i in standing
	input.acts[i].action == "gpc"
}

# METADATA
# title: Of an earlier permission and the signal, the signal prevails
# description: Unless the consumer, while known, consents after notice of the conflict.
# scope: rule
# custom:
#   id: USCA-GPC-03
#   citation: 11 CCR 7025(c)(3), 7004
#   stage: 5
#   confidence: V
deny contains {"rule": "USCA-GPC-03", "stage": 5} if {
	_signal_binds
	_once_allowed
}

note contains {"rule": "USCA-GPC-03", "stage": 5} if {
	situation.discloses
	input.signals.gpc == true
	count(_after_conflict) > 0
}

_once_allowed if {
	some act in input.acts
	us_federal.allows_sale(act)
	not act.future
}

_after_conflict contains i if {
	input.signals.consumer_known == true
	some i in us_federal.opted_in
	input.acts[i].after_conflict_notice == true
	not input.acts[i].two_step == false
	input.acts[i].rank > _first_signal
}

# Before every act where nobody knows when it was.
default _first_signal := 0

_first_signal := input.signals.gpc_first_seen

# METADATA
# title: A loyalty programme may ask whether the signal is meant for it
# description: Only who was asked and didn't affirm stays in, for that programme, while known.
# scope: rule
# custom:
#   id: USCA-GPC-04
#   citation: 11 CCR 7025(c)(4)
#   stage: 5
#   confidence: V
deny contains {"rule": "USCA-GPC-04", "stage": 5} if {
	_signal_binds
	_in_some_programme
}

deny contains {"rule": "USCA-GPC-04", "stage": 5} if {
	_was_signalled
	_in_some_programme
}

_in_some_programme if {
	some i in us_federal.sale_opt_ins
	input.acts[i].programme
}

note contains {"rule": "USCA-GPC-04", "stage": 5} if _excepted

_enrolled contains i if {
	situation.discloses
	some i in us_federal.sale_opt_ins
	input.acts[i].programme == "same"
	_told(input.acts[i])
}

_told(act) if act.fin_notice == true

_told(_) if input.context.fin_notice == true

_excepted if {
	input.signals.consumer_known == true
	some i in _enrolled
	some act in input.acts
	act.action == "fip_withdrawal_not_affirmed"
	_about_the_programme(act)
	not act.future
	act.rank > input.acts[i].rank
	act.rank > _first_signal
	every refusal in input.acts {
		_asked_after(act, refusal)
	}
}

_about_the_programme(act) if act.programme == "same"

# It names none, and there is no other that it could be about.
_about_the_programme(act) if {
	not act.programme
	every other in input.acts {
		not other.programme == "other"
	}
}

# Only signals are set aside by it, and only those sent before.
_asked_after(act, refusal) if {
	refusal.action == "gpc"
	act.rank > refusal.rank
}

_asked_after(_, refusal) if {
	not refusal.action in {"gpc", "opt_out_sale", "opt_out", "object", "complaint"}
}

# METADATA
# title: The absence of the signal is no permission
# scope: rule
# custom:
#   id: USCA-GPC-05
#   citation: 11 CCR 7025(c)(5)
#   stage: 5
#   confidence: V
deny contains {"rule": "USCA-GPC-05", "stage": 5} if {
	_was_signalled
	not input.signals.gpc == true
}

# METADATA
# title: Consumers can see that their opt-out is honoured
# scope: rule
# custom:
#   id: USCA-OPT-03
#   citation: 11 CCR 7026(g), 7025(c)(6) (as amended, OAL 22-23.9.2025)
#   stage: 5
#   confidence: V
#   in_force: "2026-01-01"
note contains {"rule": "USCA-OPT-03", "stage": 5} if {
	confirm_status
	"USCA-OPT-03" in situation.begun
}

# METADATA
# description: An opt-out of sale or sharing denies, a signal included.
confirm_status if _signal_binds

confirm_status if count(standing) > 0

confirm_status if _universal

# METADATA
# title: Universal opt-out signals are honoured
# scope: rule
# custom:
#   id: USST-UOOM-01
#   citation: C.R.S. 6-1-1306(1)(a)(IV); Conn. 42-520(e); Tex. 541.055(e); Md. 14-4707; Or. ORS 646A.574 (1.1.2026) ...
#   stage: 5
#   confidence: V
deny contains {"rule": "USST-UOOM-01", "stage": 5} if _signal_binds

deny contains {"rule": "USST-UOOM-01", "stage": 5} if _universal

_universal if {
	situation.purpose == "profiling"
	input.signals.gpc == true
	_honoured_by_policy
}

_universal if {
	_honoured_by_policy
	some i in engine.reaching
	input.acts[i].action == "gpc"
	situation.purpose == "profiling"
	not us_federal.latest_opening > input.acts[i].rank
}

_honoured_by_policy if not input.context.policy.honour_gpc_everywhere == false
