# METADATA
# title: The decision
# description: |
#   May we, for this purpose, on this channel, now? No, unless every law that applies permits it and none objects
#   (ENG-MULTI-01). All reasons are collected; the first denying stage comes first.
package volens.decision

import data.volens.engine
import data.volens.gdpr

# METADATA
# title: Verdict
# description: The only document that the service asks for.
# entrypoint: true
verdict := {
	"allow": permitted,
	"basis": basis,
	"reasons": reasons,
	"obligations": sort(obligations),
	"acts": sort(decisive),
	"closed_hours": closed_hours,
}

# METADATA
# description: Nothing stands in the way, the hour included.
# scope: document
default permitted := false

permitted if {
	_permitted_but_for_the_hour
	count(_late) == 0
}

_permitted_but_for_the_hour if {
	_permitted_by_law
	count(_restrained) == 0
}

_permitted_by_law if {
	count(denials) == 0
	count(basis_of) > 0
}

# METADATA
# description: What denies whatever the hour.
denials contains reason if some reason in _objections

denials contains reason if some reason in _unmet

denials contains _nothing_matched if count(_unmet_laws) > 0

# METADATA
# title: No rule grants permission
# scope: rule
# custom:
#   id: ENG-DENY-01
#   citation: GDPR Art. 5(1)(a), 5(2), 6(1), 24, 25(2)
#   stage: 15
#   confidence: K
_nothing_matched := {"rule": "ENG-DENY-01", "stage": 15}

# METADATA
# description: Only the hour or the day stands in the way, and another one will come.
# scope: document
default closed_hours := false

closed_hours if {
	_permitted_but_for_the_hour
	count(_late) > 0
	engine.reopens
}

# METADATA
# description: The strongest basis that any of the laws permits on.
# scope: document
default basis := "none"

basis := _strongest({found | some found in basis_of}) if permitted

_strength := ["consent", "soft_opt_in", "legitimate_interest", "contract", "legal_obligation", "none"]

_strongest(found) := [candidate | some candidate in _strength; candidate in found][0]

# METADATA
# description: The reasons in order of report; a rule is named once, by its weightiest effect.
reasons := [{"rule": place[2], "effect": _effects[place[0]], "stage": place[1]} |
	some place in sort({[key[0], key[1], rule] | some rule, keys in _named; key := min(keys)})
]

_effects := ["deny", "permit", "tried", "note"]

_named[reason.rule] contains [0, reason.stage] if some reason in (denials | _restrained)

_named[reason.rule] contains [0, reason.stage] if {
	_permitted_but_for_the_hour
	some reason in _late
}

_named[reason.rule] contains [1, reason.stage] if {
	permitted
	some reason in _met
}

_named[reason.rule] contains [2, reason.stage] if some reason in _tried

_named[reason.rule] contains [3, reason.stage] if some reason in _notes

_named[reason.rule] contains [3, reason.stage] if {
	not permitted
	some reason in _met
}

_named[reason.rule] contains [3, reason.stage] if some reason in gdpr.territory

_named["ENG-AUD-01"] contains [3, _logged.stage] if permitted

# METADATA
# title: Every decision is logged
# scope: rule
# custom:
#   id: ENG-AUD-01
#   citation: GDPR Art. 5(2), 7(1), 24, 30; UWG s.7a; 11 CCR 7101; 47 CFR 64.1200(d)(6)
#   stage: 15
#   confidence: K
_logged := {"rule": "ENG-AUD-01", "stage": 15}
