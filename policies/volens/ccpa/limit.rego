package volens.ccpa

import data.volens.engine
import data.volens.situation
import data.volens.us_federal

# METADATA
# title: The use of sensitive data ends where the consumer limits it
# scope: rule
# custom:
#   id: USCA-LIM-01
#   citation: Civ. Code 1798.121; 11 CCR 7027(g),(m)
#   stage: 8
#   confidence: V
deny contains {"rule": "USCA-LIM-01", "stage": 8} if count(limits) > 0

gate contains {"rule": "USCA-LIM-01", "stage": 8} if situation.purpose == "sensitive_use"

# METADATA
# description: The limits that no confirmed opt-in has undone, by position.
limits contains i if {
	_sensitive
	some i, act in input.acts
	_limits(i, act)
	not situation.necessary_use
	not _not_yet_sensitive
	every j in us_federal.consenting {
		not _undoes(input.acts[j], act)
	}
}

_limits(_, act) if act.action == "limit"

_limits(i, act) if {
	act.action == "opt_out"
	act.purpose == "sensitive_use"
	i in engine.reaching
}

_undoes(yes, no) if {
	yes.two_step == true
	yes.rank > no.rank
}

basis contains "none" if situation.necessary_use

basis contains "none" if {
	situation.purpose == "sensitive_use"
	input.context.notice_right_to_limit == true
	not _undisclosed
}

# METADATA
# description: The consumer has limited the use, and this use is among those that stay.
limited_to_need if {
	situation.necessary_use
	some act in input.acts
	act.action == "limit"
}

# METADATA
# title: All data of those under sixteen are sensitive
# scope: rule
# custom:
#   id: USCA-LIM-02
#   citation: 11 CCR 7001 (sensitive personal information), as amended
#   stage: 8
#   confidence: V
#   in_force: "2026-01-01"
note contains {"rule": "USCA-LIM-02", "stage": 8} if _young

_young if {
	situation.purpose in {"sensitive_use", "personalization", "profiling", "targeted_ads", "sale_share"}
	data.volens.ages.sensitive in situation.younger_than
	"USCA-LIM-02" in situation.begun
}

# Sensitive for being a child's and nothing else, which counted for nothing before that day.
_not_yet_sensitive if {
	input.context.sensitive == "under16"
	not input.context.special_category
	not "USCA-LIM-02" in situation.begun
}

# By purpose, by age, or by what is declared.
_sensitive if situation.purpose == "sensitive_use"

_sensitive if _young

_sensitive if {
	situation.purpose in (situation.family_purposes | {"personalization", "profiling", "targeted_ads", "sale_share"})
	some field in ["sensitive", "special_category"]
	input.context[field]
}
