package volens.engine

import data.volens.lib
import data.volens.situation

_restrictions contains act.rank if {
	some act in input.acts
	act.action == "restrict"
}

_restrictions contains input.flags.restricted_rank

_lifts contains act.rank if {
	some act in input.acts
	act.action == "unrestrict"
	not act.future
	not act.informed_subject == false
}

# METADATA
# description: Restricted, and not lifted since. A flag stands beside the records (RULES D10(9)).
restricted if input.flags.restricted == true

restricted if {
	some rank in _restrictions
	not _lifted(rank, _lifts)
}

_lifted(rank, lifts) if {
	some lift in lifts
	lift > rank
}

# METADATA
# title: Restricted data are stored and nothing else
# scope: rule
# custom:
#   id: EU-RES-01
#   citation: GDPR Art. 18(1), Rec. 67
#   stage: 3
#   confidence: K
deny contains {"rule": "EU-RES-01", "stage": 3} if _locked

note contains {"rule": "EU-RES-01", "stage": 3} if restricted

_locked if {
	restricted
	not untouchable
	not agreed_during_restriction
}

# METADATA
# description: The person agreed to this use, on this channel, after the restriction. It lifts stage 3 only.
agreed_during_restriction if {
	some act in input.acts
	act.action == "consent_during_restriction"
	not act.future
	not act.expired
	lib.names_channel(act, situation.channel)
	lib.covers_purpose(act.purpose, situation.purpose)
	lib.counts(act, situation.channel)
	every rank in _restrictions {
		act.rank > rank
	}
}

# METADATA
# title: Uses of restricted data that the law allows
# scope: rule
# custom:
#   id: EU-RES-02
#   citation: GDPR Art. 18(2)
#   stage: 3
#   confidence: K
tried contains {"rule": "EU-RES-02", "stage": 3} if _locked

note contains {"rule": "EU-RES-02", "stage": 3} if {
	restricted
	agreed_during_restriction
}

# METADATA
# title: The person is told before a restriction is lifted
# scope: rule
# custom:
#   id: EU-RES-03
#   citation: GDPR Art. 18(3)
#   stage: 3
#   confidence: K
deny contains {"rule": "EU-RES-03", "stage": 3} if {
	_locked
	some act in input.acts
	act.action == "unrestrict"
	act.informed_subject == false
}

note contains {"rule": "EU-RES-03", "stage": 3} if {
	some act in input.acts
	act.action == "unrestrict"
}
