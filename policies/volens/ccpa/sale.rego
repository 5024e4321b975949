# METADATA
# title: California
# description: The Consumer Privacy Act (CCPA/CPRA), its regulations (11 CCR div. 6) and the Delete Act.
package volens.ccpa

import data.volens.engine
import data.volens.lib
import data.volens.situation
import data.volens.us_federal

# METADATA
# description: Opt-ins to sale that still stand, those to a programme that a signal doesn't end included.
# scope: document
opted_in contains i if some i in us_federal.opted_in

opted_in contains i if {
	_excepted
	some i in _enrolled
}

# METADATA
# description: |
#   Opt-ins that still stand and could undo an opt-out, because they were asked for and confirmed in two steps
#   (11 CCR 7028(a)).
confirmed contains i if {
	some i in opted_in
	_confirmed(input.acts[i])
}

_confirmed(act) if act.two_step == true

_confirmed(act) if {
	act.after_conflict_notice == true
	not act.two_step == false
}

# No act has the rank 0.
_latest_opening := max({0} | {input.acts[i].rank | some i in us_federal.sale_opt_ins; _confirmed(input.acts[i])})

# METADATA
# description: The opt-outs of sale and sharing that nothing has undone, signals sent before included.
standing contains i if {
	situation.discloses
	some i in engine.reaching
	_about_disclosure(input.acts[i])
	not _latest_opening > input.acts[i].rank
	not _excepted
}

_about_disclosure(_) if _sells

_about_disclosure(act) if act.action in {"opt_out_sale", "gpc"}

_about_disclosure(act) if "sale_share" in {object.get(act, field, "") | some field in ["purpose", "scope"]}

# METADATA
# title: Sale and sharing are free until refused
# description: Of adults who were told, to third parties under contract.
# scope: rule
# custom:
#   id: USCA-OPT-06
#   citation: Civ. Code 1798.100(d), 1798.120, 1798.135; 11 CCR 7013, 7053
#   stage: 11
#   confidence: K
gate contains {"rule": "USCA-OPT-06", "stage": 11} if situation.discloses

_sells if situation.purpose in {"sale_share", "targeted_ads"}

basis contains "none" if {
	situation.purpose == "targeted_ads"
	not _undisclosed
}

basis contains "none" if {
	situation.purpose == "sale_share"
	input.context.notice_at_collection == true
	input.context.third_party_contract == true
	not _undisclosed
}

basis contains "consent" if {
	_sells
	not _minor
	count(opted_in) > 0
}

basis contains "consent" if {
	_sells
	_minor
	count(own_opt_in) > 0
}

basis contains "consent" if {
	_sells
	_child
	count(us_federal.parental) > 0
}

# METADATA
# title: Who opted out is not sold
# scope: rule
# custom:
#   id: USCA-OPT-01
#   citation: Civ. Code 1798.120, 1798.135; 11 CCR 7026(a)-(f)
#   stage: 4
#   confidence: V
deny contains {"rule": "USCA-OPT-01", "stage": 4} if {
	some i in standing
	input.acts[i].action != "gpc"
}

deny contains {"rule": "USCA-OPT-01", "stage": 4} if _flagged

_flagged if {
	situation.discloses
	engine.flagged_objection
}

# METADATA
# title: A refusal takes effect on receipt
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 4
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 4} if count(standing) > 0

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
# title: An opt-in after an opt-out takes two steps
# scope: rule
# custom:
#   id: USCA-OPT-05
#   citation: 11 CCR 7028(a), 7001
#   stage: 4
#   confidence: V
deny contains {"rule": "USCA-OPT-05", "stage": 4} if {
	some i in standing
	some act in input.acts
	us_federal.allows_sale(act)
	not act.future
	act.rank > input.acts[i].rank
}

note contains {"rule": "USCA-OPT-05", "stage": 4} if {
	situation.discloses
	count(engine.reaching) > 0
	count(confirmed) > 0
}

# METADATA
# title: A steered choice is no consent
# scope: rule
# custom:
#   id: USCA-CON-01
#   citation: Civ. Code 1798.140(h),(l); 11 CCR 7004
#   stage: 10
#   confidence: V
failing contains {"rule": "USCA-CON-01", "stage": 10} if {
	situation.ordinary
	_consented_unfairly
}

deny contains {"rule": "USCA-CON-01", "stage": 10} if {
	_opt_in_needed
	_consented_unfairly
}

_consented_unfairly if {
	some act in input.acts
	act.action in {"opt_in", "opt_in_sale"}
	_unfair(act)
}

_opt_in_needed if count(standing) > 0

_opt_in_needed if _signal_binds

_opt_in_needed if {
	situation.discloses
	_minor
	count(own_opt_in | us_federal.parental) == 0
}

_unfair(act) if lib.steered(act)

_unfair(act) if act.method in {"silence", "terms"}

_unfair(act) if act.unbundled == false

# METADATA
# title: An agent may act for the consumer
# scope: rule
# custom:
#   id: USCA-DSR-04
#   citation: 11 CCR 7063, 7026(j), 7001
#   stage: 4
#   confidence: V (7026(j)), K
note contains {"rule": "USCA-DSR-04", "stage": 4} if {
	some act in input.acts
	act.method == "agent"
}
