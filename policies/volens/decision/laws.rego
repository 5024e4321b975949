package volens.decision

import data.volens.situation

# METADATA
# title: Laws
# description: |
#   Each place that has a say is a law of its own, made of its regimes: `DE` of gdpr, eprivacy and germany. Every one
#   must have a basis (ENG-MULTI-01).
_of_place[place] contains said if {
	some regime, said in _said
	some place in situation.under[regime]
}

# METADATA
# description: The bases that each law permits on.
# scope: document
_bases[place] contains basis if {
	some place, all_said in _of_place
	some said in all_said
	some basis in said.basis
}

_bases[place] contains basis if {
	some place, all_said in _of_place
	some said in all_said
	some basis in said.basis_in[place]
}

# METADATA
# description: The strongest basis of each law.
basis_of[place] := _strongest(_bases[place]) if some place, _ in _of_place

_unmet_laws contains place if {
	some place in situation.judged
	not basis_of[place]
}

_objections contains reason if {
	some said in _said
	some reason in said.deny
}

_unmet contains reason if {
	some place in _unmet_laws
	some said in _of_place[place]
	some reason in (object.get(said, "gate", set()) | object.get(said, "failing", set()))
}

_unmet contains {"rule": fault.rule, "stage": fault.stage} if {
	situation.ordinary
	some place in _unmet_laws
	some said in _of_place[place]
	some fault in said.flaw
}

_met contains reason if {
	some place, _ in basis_of
	some said in _of_place[place]
	some reason in said.gate
}

_late contains reason if {
	some said in _said
	some reason in said.late
}

_tried contains reason if {
	some said in _said
	some reason in said.tried
}

_notes contains reason if {
	some said in _said
	some reason in said.note
}

# METADATA
# description: |
#   The acts that decided, by position. On a permit those that it rests on; on a denial the refusals that stand, or
#   else the opt-ins that weren't enough.
# scope: document
decisive contains i if {
	_permitted_but_for_the_hour
	some i in _relied
}

decisive contains i if {
	_permitted_but_for_the_hour
	some said in _said
	some i in said.related
}

decisive contains i if {
	some said in _said
	some i in said.refused
}

decisive contains i if {
	some place in _unmet_laws
	some said in _of_place[place]
	some i in said.lacking
}
