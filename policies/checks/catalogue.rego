# METADATA
# title: A policy about the catalogue
# description: |
#   No rule of the law is forgotten: it is stated in Rego, or the catalogue says where else it is kept, or why no machine
#   can. `tools/policy.py` hands in `data.catalogue` and `data.stated` (the reasons that the rules state).
package checks.catalogue

_stated := {reason.rule | some reason in data.stated}

_statuses := {"rego", "own", "elsewhere", "not_checkable"}

_in_rego := {"rego", "own"}

_status(rule) := object.get(rule, "status", "")

_is(rule, status) := _status(rule) == status

# METADATA
# title: Classed
deny contains {"check": "a rule has a status that is known", "rule": rule.id} if {
	some rule in data.catalogue
	not _status(rule) in _statuses
}

# METADATA
# title: Written
deny contains {"check": "a rule that is said to be in Rego is stated there", "rule": rule.id} if {
	some rule in data.catalogue
	_status(rule) in _in_rego
	not rule.id in _stated
}

# METADATA
# title: Left out on purpose
deny contains {"check": "a rule that is said not to be in Rego is not stated there", "rule": rule.id} if {
	some rule in data.catalogue
	not _status(rule) in _in_rego
	rule.id in _stated
}

# METADATA
# title: Reasoned
deny contains {"check": "what no law or no Rego states has a reason", "rule": rule.id} if {
	some rule in data.catalogue
	_status(rule) != "rego"
	object.get(rule, "reason", "") == ""
}

# METADATA
# title: Placed
deny contains {"check": "a rule that is elsewhere, and no other, says where", "rule": rule.id} if {
	some rule in data.catalogue
	_is(rule, "elsewhere") != _placed(rule)
}

_placed(rule) := object.get(rule, "where", "") != ""

# METADATA
# title: Kept there
deny contains {"check": "the table of deadlines names the rule that is kept there", "rule": rule.id} if {
	some rule in data.catalogue
	rule.where == "policies/data/deadlines.json"
	not rule.id in {name | some period in data.volens.deadlines; some name in period.rules}
}

# METADATA
# title: Ours
deny contains {"check": "our own rules, and no others, are named ENG-OWN", "rule": rule.id} if {
	some rule in data.catalogue
	_is(rule, "own") != startswith(rule.id, "ENG-OWN-")
}
