package volens.france

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Three years after the last contact a prospect is left alone
# description: Of a customer they count from the end of the relation, so that a contract that runs is a contact.
# scope: rule
# custom:
#   id: FR-STL-01
#   citation: CNIL referentiel gestion commerciale (2022)
#   stage: 10
#   confidence: V, G
deny contains {"rule": "FR-STL-01", "stage": 10} if {
	situation.family
	_contact_on_file
	not active
}

flaw contains {"act": i, "rule": "FR-STL-01", "stage": 10} if {
	some i, _ in gdpr.permission
	not active
}

# METADATA
# description: The last contact is recent enough.
active if gdpr.active_within(data.volens.periods.stale.FR)

active if gdpr.running_contract

_contact_on_file if input.subject.interaction

_contact_on_file if {
	some act in input.acts
	gdpr.shows_interest(act)
}
