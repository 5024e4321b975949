package volens.gdpr

# METADATA
# title: A current contract
# description: What is asked is about a contract that runs, as the caller declares (RULES D1).
current_contract if input.context.related_to_current_contract == true

# METADATA
# description: A contract with the person runs, by the records.
running_contract if {
	some act in input.acts
	act.action == "purchase"
	act.ongoing_contract == true
	not act.future
	not act.person
	not act.seller == "other"
}
