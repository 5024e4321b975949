package volens.gdpr

# METADATA
# title: A current contract
# description: What is asked is about a contract that runs. Records that know only ended ones prevail over the claim.
current_contract if {
	input.context.related_to_current_contract == true
	not _ended_contract
}

_ended_contract if {
	some act in input.acts
	_sold(act)
	act.ongoing_contract == false
	not running_contract
}

# METADATA
# description: A contract with the person runs.
running_contract if {
	some act in input.acts
	_sold(act)
	act.ongoing_contract == true
}

_sold(act) if {
	act.action == "purchase"
	not act.future
	not act.person
	not act.seller == "other"
}
