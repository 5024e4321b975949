package volens.elsewhere

import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: Refusals
# description: Those that no valid consent of the place has overtaken, by position. A tie refuses.
# scope: document
standing[place] contains i if {
	some place, _ in measure
	some i in (engine.reaching | _machines_refused)
	not _latest_opening(place) > input.acts[i].rank
}

_machines_refused contains i if {
	situation.purpose == "adm"
	some i, act in input.acts
	act.action == "adm_opt_out"
}

_latest_opening(place) := lib.latest(input.acts, _pending) if {
	situation.purpose == "doi_confirmation"
} else := lib.latest(input.acts, object.get(consenting, place, set()))

_pending contains i if {
	some i, act in input.acts
	act.action == "opt_in_pending"
	not act.future
	not act.person
	not act.address == "other"
	lib.names_channel(act, situation.channel)
}

# METADATA
# description: All of them, whatever the place.
refused contains i if some i in standing[_]

# METADATA
# description: The places where a refusal, or the flag of one, stands.
barred contains place if some place, _ in standing

barred contains place if {
	engine.flagged_objection
	some place, _ in measure
}

# METADATA
# description: The places where an erasure or a suppression stands.
ended contains place if {
	engine.erasure_bars
	some place, _ in measure
	not _begun_anew(place)
}

ended contains place if {
	engine.suppressed
	some place, _ in measure
	not _admitted_again(place)
}

_admitted_again(place) if _latest_opening(place) > input.flags.suppressed_rank

_begun_anew(place) if {
	not engine.undated_erasure
	_latest_opening(place) > max(engine.erasures)
}

# METADATA
# title: A refusal takes effect on receipt
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 4
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 4} if count(barred) > 0

# METADATA
# title: A refusal takes effect on receipt
# description: So does an erasure, until a later consent to what is asked.
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 1
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 1} if count(ended) > 0

# METADATA
# title: A refusal takes effect on receipt
# description: A browser's signal is one, unless a later consent is specific (RULES D9(13)).
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 5
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 5} if {
	input.signals.gpc == true
	situation.purpose in {"targeted_ads", "sale_share", "profiling"}
	not input.context.policy.honour_gpc_everywhere == false
	some place, _ in measure
	not _answered(place)
}

_answered(place) if _latest_opening(place) > input.signals.gpc_first_seen

# METADATA
# title: A complaint is an objection
# scope: rule
# custom:
#   id: ENG-COMPL-01
#   citation: GDPR Art. 21(2)-(3), 12(2); 47 CFR 64.1200(a)(10)
#   stage: 4
#   confidence: P/K
deny contains {"rule": "ENG-COMPL-01", "stage": 4} if {
	some i in refused
	input.acts[i].action == "complaint"
}
