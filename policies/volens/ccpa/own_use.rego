package volens.ccpa

import data.volens.engine
import data.volens.situation
import data.volens.us_federal

# METADATA
# description: The opt-ins to what is asked, by position.
enrolling := us_federal.consenting

# METADATA
# title: Own marketing and personalization are free
# scope: rule
# custom:
#   id: USCA-FP-01
#   citation: Civ. Code 1798.140(e)(6),(ah),(k)
#   stage: 10
#   confidence: K
gate contains {"rule": "USCA-FP-01", "stage": 10} if situation.purpose in _own_uses

note contains {"rule": "USCA-FP-01", "stage": 10} if {
	situation.family
	_own_data
}

note contains {"rule": "USCA-FP-01", "stage": 10} if situation.service

_own_uses := {"personalization", "profiling", "analytics", "email_tracking"}

_own_data if {
	not input.context.first_party_only == false
	not situation.discloses
}

basis contains "none" if {
	situation.purpose in _own_uses
	_own_data
	not _undisclosed
}

basis contains "consent" if {
	situation.purpose in ((_own_uses | {"sensitive_use"}) | {"adm"})
	count(us_federal.consenting) > 0
}

# METADATA
# title: Unexpected purposes need consent
# scope: rule
# custom:
#   id: USCA-PUR-01
#   citation: Civ. Code 1798.100(c); 11 CCR 7002
#   stage: 11
#   confidence: K
failing contains {"rule": "USCA-PUR-01", "stage": 11} if _undisclosed

deny contains {"rule": "USCA-PUR-01", "stage": 11} if {
	_declared_undisclosed
	count(us_federal.consenting | _opted_in_to_sale) == 0
}

_opted_in_to_sale := {i | _sells; some i in opted_in}

_undisclosed if _declared_undisclosed

# That it isn't known whether the purpose was disclosed counts against some uses only (RULES D9(19)).
_undisclosed if {
	situation.purpose in {"personalization", "profiling", "sensitive_use"}
	not situation.necessary_use
	not input.context.purpose_disclosed == true
}

_declared_undisclosed if {
	situation.ordinary
	not situation.necessary_use
	input.context.purpose_disclosed == false
}

# METADATA
# title: Machines decide alone unless the consumer has opted out
# description: Of finance, housing, education, employment and health; advertising is none of these.
# scope: rule
# custom:
#   id: USCA-ADM-01
#   citation: Civ. Code 1798.185(a)(15); 11 CCR 7001, 7200, 7220-7222
#   stage: 9
#   confidence: V
#   in_force: "2027-01-01"
deny contains {"rule": "USCA-ADM-01", "stage": 9} if {
	situation.purpose == "adm"
	adm_in_force
	count(_adm_opt_outs) > 0
	not input.context.human_appeal_exception == true
	not input.context.significant_effect == false
}

gate contains {"rule": "USCA-ADM-01", "stage": 9} if situation.purpose == "adm"

note contains {"rule": "USCA-ADM-01", "stage": 9} if {
	some act in input.acts
	act.action == "adm_opt_out"
}

basis contains "none" if {
	situation.purpose == "adm"
	not _undisclosed
}

# METADATA
# description: The rules on automated decisions have to be complied with.
adm_in_force if "USCA-ADM-01" in situation.begun

_adm_opt_outs contains i if {
	some i, act in input.acts
	act.action == "adm_opt_out"
	every j in us_federal.consenting {
		input.acts[j].rank <= act.rank
	}
}

# METADATA
# title: Deleted consumers stay deleted
# scope: rule
# custom:
#   id: USCA-DEL-01
#   citation: Civ. Code 1798.105(a),(c); 11 CCR 7022
#   stage: 1
#   confidence: K
deny contains {"rule": "USCA-DEL-01", "stage": 1} if {
	engine.erasure_bars
	not _begun_anew
}

deny contains {"rule": "USCA-DEL-01", "stage": 1} if {
	engine.suppressed
	not _admitted_again
}

note contains {"rule": "USCA-DEL-01", "stage": 1} if engine.erasure_on_file

note contains {"rule": "USCA-DEL-01", "stage": 1} if {
	some flag in ["suppressed", "previously_erased"]
	input.flags[flag] == true
}

_admitted_again if _opening > input.flags.suppressed_rank

_begun_anew if {
	not engine.undated_erasure
	_opening > max(engine.erasures)
}

# Of what opens a closed door, the latest: an opt-in to sale where that is asked, else to the contact.
_opening := max({0} | {input.acts[i].rank | some i in us_federal.opted_in}) if {
	_sells
} else := us_federal.latest_opening
