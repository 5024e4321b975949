# METADATA
# title: A policy about the policies
# description: |
#   What every rule of the law must be: annotated, known to the catalogue, cited there alike, and named in verdicts as
#   it is annotated. `tools/policy.py` hands in `data.annotated` (what OPA reads out of METADATA), `data.stated` (the
#   reasons that the rules state, from their syntax) and `data.catalogue`.
package checks.annotations

_catalogue[rule.id] := rule if some rule in data.catalogue

_about_rules contains entry if {
	some entry in data.annotated
	entry.annotations.custom.id
}

_packages contains [_package(entry), entry.annotations.custom.id, entry.annotations.custom.stage] if {
	some entry in _about_rules
}

_package(entry) := concat(".", [part.value | some part in entry.path; part.type != "var"; part.value in _names])

_names := {part.value | some entry in data.annotated; some i, part in entry.path; i in {1, 2}}

# METADATA
# title: Known
deny contains {"check": "the catalogue knows the rule", "rule": entry.annotations.custom.id} if {
	some entry in _about_rules
	not _catalogue[entry.annotations.custom.id]
}

# METADATA
# title: Complete
deny contains {"check": "title, citation, stage and confidence are given", "rule": entry.annotations.custom.id} if {
	some entry in _about_rules
	not _complete(entry.annotations)
}

_complete(annotation) if {
	annotation.title
	annotation.custom.citation
	annotation.custom.confidence
	annotation.custom.stage >= 0
	annotation.custom.stage <= 15
}

# METADATA
# title: Cited alike
deny contains {"check": "the catalogue cites the same", "rule": entry.annotations.custom.id} if {
	some entry in _about_rules
	some field in ["citation", "confidence"]
	entry.annotations.custom[field] != _catalogue[entry.annotations.custom.id][field]
}

# METADATA
# title: One sentence
deny contains {"check": "a rule has one title", "rule": entry.annotations.custom.id} if {
	some entry in _about_rules
	entry.annotations.title != _catalogue[entry.annotations.custom.id].title
}

# METADATA
# title: Unique
deny contains {"check": "the catalogue names a rule once", "rule": rule.id} if {
	some i, rule in data.catalogue
	some j, other in data.catalogue
	i < j
	rule.id == other.id
}

# METADATA
# title: Stated as annotated
deny contains {"check": "a reason is annotated in its package, with its stage", "rule": reason.rule} if {
	some reason in data.stated
	not [reason.package, reason.rule, reason.stage] in _packages
}

# METADATA
# title: Annotated as stated
deny contains {"check": "an annotated rule is stated", "rule": named[1]} if {
	some named in _packages
	not named in _stated
}

_stated contains [reason.package, reason.rule, reason.stage] if some reason in data.stated

# METADATA
# title: In force
deny contains {"check": "the table has the same day", "rule": entry.annotations.custom.id} if {
	some entry in _about_rules
	entry.annotations.custom.in_force != data.volens.in_force[entry.annotations.custom.id]
}

# METADATA
# title: Banded
deny contains {"check": "every day on which something begins is a band", "rule": rule} if {
	some rule, day in data.volens.in_force
	not day in data.volens.bands.in_force
}

# METADATA
# title: Edges
deny contains {"check": "every edge of a window is a band", "rule": window.rule} if {
	some window in _windows
	some spans in window.days
	some span in spans
	some edge in span
	not edge in data.volens.bands.minutes
}

_windows contains data.volens.windows.default

_windows contains window if some window in data.volens.windows.places

_windows contains window if some window in data.volens.windows.federal
