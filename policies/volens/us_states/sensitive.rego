package volens.us_states

import data.volens.situation
import data.volens.us_federal

# METADATA
# title: Sensitive data are used with an opt-in
# description: In some states a notice is enough until the person opts out.
# scope: rule
# custom:
#   id: USST-SEN-01
#   citation: e.g. Va. 59.1-578(A)(5); C.R.S. 6-1-1308(7); Tex. 541.101(b)(2)
#   stage: 8
#   confidence: V
gate contains {"rule": "USST-SEN-01", "stage": 8} if _sensitive

deny contains {"rule": "USST-SEN-01", "stage": 8} if {
	_sensitive
	some place in situation.under.us_states
	not _admitted[place]
}

deny contains {"rule": "USST-SEN-01", "stage": 8} if count(limits) > 0

basis_in[place] contains basis if {
	situation.purpose == "sensitive_use"
	some place, bases in _admitted
	some basis in bases
}

_admitted[place] contains "consent" if {
	some place in situation.under.us_states
	count(_informed) > 0
}

_admitted[place] contains "none" if {
	some place in situation.under.us_states
	law[place].sensitive == "notice"
	_noticed
}

_noticed if {
	some notice in ["notice_given", "notice_at_collection", "purpose_disclosed"]
	input.context[notice] == true
}

# By purpose, or by what is declared.
_sensitive if situation.purpose == "sensitive_use"

_sensitive if {
	situation.ordinary
	count(_kinds) > 0
}

_kinds contains input.context.sensitive

_kinds contains input.context.special_category

# METADATA
# description: The opt-ins to what is asked that extend to the data in question, by position.
_informed contains i if {
	some i in agreeing
	not input.acts[i].covers_category == false
	about_data(input.acts[i])
}

# Agreeing to a use of data is agreeing to that of these data. Agreeing to messages says nothing about them.
# METADATA
# description: True when an opt-in is to the use of these data, and not to messages alone.
# scope: document
about_data(_) if not situation.family

about_data(act) if act.covers_category == true

about_data(act) if act.explicit == true

# METADATA
# title: Limits
# description: |
#   A Californian right that goes with the person to any state (RULES D10(7)): the limits that no later opt-in to the
#   use of these data has undone, by position.
# scope: document
limits contains i if {
	_sensitive
	not situation.necessary_use
	some i, act in input.acts
	act.action == "limit"
	every j in _informed {
		input.acts[j].rank <= act.rank
	}
}

# METADATA
# title: Maryland takes strict necessity besides, and lets nobody sell sensitive data
# scope: rule
# custom:
#   id: USMD-SEN-01
#   citation: Md. Com. Law 14-4707(a)
#   stage: 8
#   confidence: V
#   in_force: "2025-10-01"
deny contains {"rule": "USMD-SEN-01", "stage": 8} if {
	_necessity_due
	situation.purpose == "sale_share"
	"USMD-SEN-01" in situation.begun
}

deny contains {"rule": "USMD-SEN-01", "stage": 8} if {
	_necessity_due
	not strictly_necessary
	"USMD-PROCESSING" in situation.begun
}

note contains {"rule": "USMD-SEN-01", "stage": 8} if _necessity_due

_necessity_due if {
	_sensitive
	some place
	law[place].sensitive == "necessity"
}

# METADATA
# description: What is asked for can't be had without these data (RULES D9(19)).
# scope: document
strictly_necessary if input.context.necessary_for_contract == true

strictly_necessary if input.context.requested_by_subject == true

strictly_necessary if input.context.use == "service_requested"

# METADATA
# title: Health data take consent, and their sale a signed authorisation
# scope: rule
# custom:
#   id: USST-MHMD-01
#   citation: RCW 19.373 (My Health My Data Act)
#   stage: 8
#   confidence: K
deny contains {"rule": "USST-MHMD-01", "stage": 8} if {
	_of_health
	count(_authorising) == 0
}

note contains {"rule": "USST-MHMD-01", "stage": 8} if _of_health

_of_health if {
	_sensitive
	_maybe_health
	some place in situation.under.us_states
	place in data.volens.states.health.places
}

_maybe_health if {
	some kind in _kinds
	kind in data.volens.states.health.data
}

_maybe_health if count(_kinds) == 0

_authorising := _informed if situation.purpose != "sale_share"

_authorising := {i | some i in _informed; us_federal.in_writing(input.acts[i])} if situation.purpose == "sale_share"
