package volens.lib

# METADATA
# description: What a state chose where the Union leaves a choice. The choice of all that are not named is `other`.
chosen(state, field) := data.volens.member_states[state][field] if {
	data.volens.member_states[state][field]
} else := data.volens.member_states.other[field]
