package volens.us_states

import data.volens.engine
import data.volens.situation
import data.volens.us_federal

# METADATA
# title: Who opts out is neither sold, nor targeted, nor profiled
# scope: rule
# custom:
#   id: USST-OPT-01
#   citation: e.g. Va. Code 59.1-577; C.R.S. 6-1-1306; Conn. Gen. Stat. 42-518; Tex. Bus. & Com. 541.051; Md. Com. Law 14-4705
#   stage: 4
#   confidence: V (list), K
gate contains {"rule": "USST-OPT-01", "stage": 4} if situation.discloses

gate contains {"rule": "USST-OPT-01", "stage": 4} if situation.purpose in _profiles

deny contains {"rule": "USST-OPT-01", "stage": 4} if {
	some i in standing
	input.acts[i].action != "gpc"
}

deny contains {"rule": "USST-OPT-01", "stage": 4} if {
	situation.discloses
	engine.flagged_objection
}

deny contains {"rule": "USST-OPT-01", "stage": 4} if {
	situation.purpose in _profiles
	_profiling_refused
	some place in situation.under.us_states
	not _profiling_free(place)
	not input.context.significant_effect == false
}

_profiles := {"profiling", "adm"}

_profiling_refused if us_federal.barred

_profiling_refused if count(_machines_refused) > 0

_profiling_free(place) if law[place].profiling == "free"

# METADATA
# title: A refusal takes effect on receipt
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 4
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 4} if count(refused) > 0

# METADATA
# title: A complaint is an objection
# scope: rule
# custom:
#   id: ENG-COMPL-01
#   citation: GDPR Art. 21(2)-(3), 12(2); 47 CFR 64.1200(a)(10)
#   stage: 4
#   confidence: P/K
deny contains {"rule": "ENG-COMPL-01", "stage": 4} if {
	some i in standing
	input.acts[i].action == "complaint"
}

# METADATA
# title: Opt-outs of disclosure
# description: |
#   Those that no later opt-in to it has undone, and signals that were recorded. Other refusals are federal law's.
# scope: document
standing contains i if {
	some i in engine.reaching
	_of_disclosure(input.acts[i])
	not _latest_opening > input.acts[i].rank
}

_of_disclosure(_) if sells

_of_disclosure(act) if act.action in {"opt_out_sale", "gpc"}

_of_disclosure(act) if {
	situation.discloses
	"sale_share" in {object.get(act, field, "") | some field in ["purpose", "scope"]}
}

# No act has the rank 0. To be written to is not to be sold.
_latest_opening := max({0} | {input.acts[i].rank | some i in _agreed; not _written_to})

_written_to if {
	situation.family
	situation.purpose != "partner_marketing"
}

# Nobody need bear a decision that machines make alone, but for those that matter to no one.
_machines_refused contains i if {
	situation.purpose == "adm"
	not input.context.significant_effect == false
	some i, act in input.acts
	act.action == "adm_opt_out"
	every j in agreeing {
		input.acts[j].rank <= act.rank
	}
}

note contains {"rule": "USST-OPT-01", "stage": 4} if {
	some act in input.acts
	act.action == "adm_opt_out"
}

# METADATA
# title: Refusals that stand
# description: By position.
refused := (standing | _machines_refused) | limits

# METADATA
# title: A revoked consent ends at once
# description: What some states give in days is how long it may take downstream.
# scope: rule
# custom:
#   id: USST-REV-01
#   citation: Conn. 42-520(a)(6); Md. 14-4707; RI
#   stage: 4
#   confidence: V (RI), K
note contains {"rule": "USST-REV-01", "stage": 4} if {
	some place in situation.under.us_states
	law[place].revocation == true
	some i in engine.reaching
	some act in input.acts
	act.action in {"opt_in", "opt_in_sale", "parental_consent"}
	act.rank < input.acts[i].rank
}

# METADATA
# title: A refusal takes effect on receipt
# description: So does an erasure, until a later opt-in to what is asked.
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 1
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 1} if {
	engine.erasure_bars
	not _begun_anew
}

deny contains {"rule": "ENG-OPT-01", "stage": 1} if {
	engine.suppressed
	not _admitted_again
}

_admitted_again if _door > input.flags.suppressed_rank

_begun_anew if {
	not engine.undated_erasure
	_door > max(engine.erasures)
}

# What opens a closed door, the latest.
_door := _latest_opening if sells

_door := us_federal.latest_opening if not sells
