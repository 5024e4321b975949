package volens.gdpr

import data.volens.engine
import data.volens.situation

# METADATA
# description: The rank of the latest act that could open the door again; 0 where there is none.
_latest_opening := max({0} | {input.acts[i].rank | some i in _openings})

_openings := _pending if situation.purpose == "doi_confirmation"

_openings := consenting if situation.purpose != "doi_confirmation"

# METADATA
# title: Refusals
# description: The refusals that no valid consent has overtaken. A tie refuses.
# scope: document
standing contains i if {
	some i in engine.reaching
	not _latest_opening > input.acts[i].rank
}

standing contains i if {
	some i in _adm_opt_outs
	not _latest_opening > input.acts[i].rank
}

_adm_opt_outs contains i if {
	some i, act in input.acts
	act.action == "adm_opt_out"
	situation.purpose == "adm"
}

# METADATA
# description: A refusal stands, or the flag of one.
barred if count(standing) > 0

barred if _flagged

_flagged if engine.flagged_objection

# METADATA
# description: The ranks of what has ended something, that is refusals that reach the question, and erasures.
_ended contains input.acts[i].rank if some i in engine.reaching

_ended contains rank if some rank in engine.erasures

# What has ended something, and isn't overtaken.
_closed contains rank if {
	some rank in _ended
	not _latest_opening > rank
}

_closed contains input.flags.suppressed_rank if not _latest_opening > input.flags.suppressed_rank

_stands(actions) if {
	some i in standing
	input.acts[i].action in actions
}

# METADATA
# title: A refusal takes effect on receipt
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 4
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 4} if barred

# METADATA
# title: Consent can be withdrawn at any time
# scope: rule
# custom:
#   id: EU-CON-06
#   citation: GDPR Art. 7(3), 17(1)(b); EDPB 05/2020 paras 112-118
#   stage: 4
#   confidence: K
deny contains {"rule": "EU-CON-06", "stage": 4} if {
	_stands({"opt_out", "refused_in_call", "opt_out_sale", "limit", "adm_opt_out"})
}

# METADATA
# title: The right to object to direct marketing is absolute
# scope: rule
# custom:
#   id: EU-OBJ-01
#   citation: GDPR Art. 21(2)-(3), 12(3), Rec. 70
#   stage: 4
#   confidence: K
deny contains {"rule": "EU-OBJ-01", "stage": 4} if {
	_direct_marketing
	barred
}

note contains {"rule": "EU-OBJ-01", "stage": 4} if {
	_direct_marketing
	some act in input.acts
	act.action == "object"
}

_direct_marketing if situation.family

_direct_marketing if situation.purpose == "doi_confirmation"

_direct_marketing if situation.purpose in {"personalization", "profiling", "targeted_ads", "sale_share", "sensitive_use"}

# METADATA
# title: Processing rests while an objection is pending
# scope: rule
# custom:
#   id: EU-OBJ-03
#   citation: GDPR Art. 21(1), 18(1)(d)
#   stage: 4
#   confidence: K
deny contains {"rule": "EU-OBJ-03", "stage": 4} if {
	some i in standing
	input.acts[i].action == "object"
	_on_grounds(i)
}

_on_grounds(i) if input.acts[i].ground in {"21(1)", "other"}

# Profiling rests on interest, so an objection to it alone may be on grounds that are still to be weighed.
_on_grounds(i) if {
	situation.purpose in {"personalization", "profiling"}
	not "marketing" in engine.aims[i]
}

# METADATA
# title: A complaint is an objection
# scope: rule
# custom:
#   id: ENG-COMPL-01
#   citation: GDPR Art. 21(2)-(3), 12(2); 47 CFR 64.1200(a)(10)
#   stage: 4
#   confidence: P/K
deny contains {"rule": "ENG-COMPL-01", "stage": 4} if _stands({"complaint"})

# METADATA
# title: A browser may object
# description: Global Privacy Control counts as an objection by automated means unless a later consent is specific.
# scope: rule
# custom:
#   id: EU-OBJ-02
#   citation: GDPR Art. 21(4)-(5)
#   stage: 5
#   confidence: K
deny contains {"rule": "EU-OBJ-02", "stage": 5} if {
	_signalled
	not _answered
}

deny contains {"rule": "EU-OBJ-02", "stage": 5} if _stands({"gpc"})

note contains {"rule": "EU-OBJ-02", "stage": 5} if {
	input.signals.gpc == true
	_open_to_signals
}

_open_to_signals if situation.purpose in {"targeted_ads", "sale_share", "profiling"}

_answered if _latest_opening > input.signals.gpc_first_seen

_signalled if {
	input.signals.gpc == true
	_open_to_signals
	not input.context.policy.honour_gpc_everywhere == false
}

# METADATA
# title: A message that asks for consent is marketing itself
# scope: rule
# custom:
#   id: EU-CON-15
#   citation: ePrivacy Dir. Art. 13(1)-(2); PECR reg. 22; ICO decisions Flybe/Honda (2017); CASL s.1(3)
#   stage: 10
#   confidence: K
gate contains {"rule": "EU-CON-15", "stage": 10} if situation.purpose == "reconsent"
