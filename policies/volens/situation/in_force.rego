package volens.situation

# METADATA
# title: In force
# description: |
#   The rules that have begun, by the day of the question. A tenant may bring a stricter one forward; which ones are
#   stricter is in the table `stricter`.
begun contains rule if {
	some rule, day in data.volens.in_force
	input.clock.law_day >= day
}

begun contains rule if {
	some rule in input.overlay.early
	rule in data.volens.stricter.rules
}
