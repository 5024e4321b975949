package volens.italy

import data.volens.gdpr
import data.volens.registers
import data.volens.situation

# METADATA
# title: Registration in the register of objections cancels earlier consents
# description: Not those given within a contract that runs. Only a later specific consent counts.
# scope: rule
# custom:
#   id: IT-TEL-01
#   citation: L. 5/2018 Art. 1; DPR 26/2022; Codice privacy Art. 130
#   stage: 5
#   confidence: V, K
deny contains {"rule": "IT-TEL-01", "stage": 5} if {
	_registrable
	_registered
	not registers.opted_in_since("IT")
	not agreed_within_a_contract
}

note contains {"rule": "IT-TEL-01", "stage": 5} if _registrable

_registrable if {
	situation.family
	situation.channel in {"phone", "phone_auto", "post"}
}

_registered if {
	some listing in registers.listings
	listing.state == "IT"
	listing.list != "robinson_listed"
}

# METADATA
# description: There is a consent, and what is offered is about a contract that runs.
agreed_within_a_contract if {
	gdpr.current_contract
	gdpr.running_contract
	count(gdpr.consenting) > 0
}
