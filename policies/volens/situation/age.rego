package volens.situation

# METADATA
# title: Age
# description: |
#   The ages that the person has not reached, out of those that some law knows. Signs of a child put an unknown age
#   below all of them; a known age prevails over signs (RULES D9(4), D10(10)). Nothing known at all is an adult (D1).
younger_than contains age if {
	some age in data.volens.bands.ages
	input.subject.age < age
}

younger_than contains age if {
	childlike
	some age in data.volens.bands.ages
}

# METADATA
# description: The age is unknown and something says that it is a child.
childlike if {
	not _known
	input.subject.age_signals
}

childlike if {
	not _known
	input.context.child_directed == true
}

_known if input.subject.age >= 0

# METADATA
# description: Not of age.
minor if data.volens.ages.adult in younger_than

# METADATA
# description: True when the person was a child at the time of an act, or is one now. A grown-up has no parents to consent.
child_then(_) if minor

child_then(act) if act.age < data.volens.ages.adult
