package volens.ccpa

import data.volens.situation

# METADATA
# title: Who opted out is left alone for twelve months
# description: Unless the consumer starts something that needs the sale.
# scope: rule
# custom:
#   id: USCA-OPT-04
#   citation: Civ. Code 1798.135(c)(4); 11 CCR 7026(k), 7027(l), 7028(b)
#   stage: 4
#   confidence: V (7026(k)), K
deny contains {"rule": "USCA-OPT-04", "stage": 4} if {
	some act in _opted_out
	act.months_waited < data.volens.periods.reask
	not input.context.consumer_initiated_transaction_requires_sale == true
}

deny contains {"rule": "USCA-OPT-04", "stage": 4} if {
	_asks_again
	_about_sale
	input.signals.gpc == true
}

note contains {"rule": "USCA-OPT-04", "stage": 4} if count(_opted_out) > 0

# METADATA
# description: There is an opt-out, a limit or a minor's no behind the question. What it asks for takes two steps.
two_steps_due if count(_opted_out) > 0

two_steps_due if _said_no

_opted_out contains act if {
	_asks_again
	_about_sale
	some act in input.acts
	act.action in {"opt_out_sale", "gpc", "drop_unverified"}
}

_opted_out contains act if {
	_asks_again
	_about_sale
	some act in input.acts
	act.action == "opt_out"
	act.purpose in {"sale_share", "targeted_ads"}
}

_opted_out contains act if {
	_asks_again
	_about_limit
	some act in input.acts
	act.action == "limit"
}

_opted_out contains act if {
	_asks_again
	_about_limit
	some act in input.acts
	act.action == "opt_out"
	act.purpose == "sensitive_use"
}

_asks_again if situation.purpose == "reconsent"

# What it asks for. Where that isn't said it may be anything.
default _asked_for := "other"

_asked_for := input.context.reconsent_for

_about_sale if _asked_for in {"sale_share", "targeted_ads", "other"}

_about_limit if _asked_for in {"sensitive_use", "other"}

# METADATA
# title: A minor who declined is not asked again before sixteen, nor within a year
# scope: rule
# custom:
#   id: USCA-MIN-04
#   citation: Civ. Code 1798.135(c)(5)
#   stage: 7
#   confidence: K
deny contains {"rule": "USCA-MIN-04", "stage": 7} if {
	some act in _declined
	data.volens.ages.sale.own in situation.younger_than
}

deny contains {"rule": "USCA-MIN-04", "stage": 7} if {
	some act in _declined
	act.age < data.volens.ages.sale.own
	act.months_waited < data.volens.periods.reask
}

note contains {"rule": "USCA-MIN-04", "stage": 7} if _said_no

_said_no if {
	some act in _declined
	act.action == "declined_opt_in"
}

_declined contains act if {
	_asks_again
	_about_sale
	some act in input.acts
	act.action in {"declined_opt_in", "opt_out_sale"}
	_of_sale(act)
}

_of_sale(act) if act.action == "opt_out_sale"

_of_sale(act) if act.purpose in {"sale_share", "targeted_ads", "any"}

# METADATA
# title: Programmes that pay for data need an opt-in after notice
# scope: rule
# custom:
#   id: USCA-FIN-01
#   citation: Civ. Code 1798.125(b); 11 CCR 7016, 7080-7081
#   stage: 11
#   confidence: K
gate contains {"rule": "USCA-FIN-01", "stage": 11} if situation.purpose == "fip_enrolment"

deny contains {"rule": "USCA-FIN-01", "stage": 11} if {
	_asks_again
	_asked_for in {"fip_enrolment", "other"}
	some act in input.acts
	act.action in {"declined_opt_in", "opt_out"}
	act.purpose == "fip_enrolment"
	act.months_waited < data.volens.periods.reask
}

basis contains "consent" if {
	situation.purpose == "fip_enrolment"
	not input.context.fin_notice == false
	some i in enrolling
	_told(input.acts[i])
}
