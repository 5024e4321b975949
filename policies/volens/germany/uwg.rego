# METADATA
# title: Germany
# description: The Act against Unfair Competition (UWG), and what its courts ask for.
# related_resources:
# - https://www.gesetze-im-internet.de/uwg_2004/__7.html
package volens.germany

import data.volens.gdpr
import data.volens.lib
import data.volens.situation

# METADATA
# title: Mail, texts, fax and automatic calls need express consent
# description: Businesses are protected alike.
# scope: rule
# custom:
#   id: DE-UWG-01
#   citation: UWG s.7(2) no.2, s.7(3)
#   stage: 10
#   confidence: K
gate contains {"rule": "DE-UWG-01", "stage": 10} if {
	situation.family
	situation.channel in {"email", "sms", "fax"}
}

gate contains {"rule": "DE-UWG-01", "stage": 10} if {
	situation.family
	situation.automatic_call
}

# METADATA
# title: Calls need express consent, of businesses at least a presumed one
# scope: rule
# custom:
#   id: DE-UWG-02
#   citation: UWG s.7(2) no.1, s.20
#   stage: 10
#   confidence: K
gate contains {"rule": "DE-UWG-02", "stage": 10} if {
	situation.family
	situation.live_call
}

basis contains "legitimate_interest" if {
	situation.live_call
	gdpr.own_marketing
	input.subject.b2b == true
	input.context.presumed_interest_facts == true
	gdpr.balanced
}

# METADATA
# title: Consent to calls is documented and kept for five years
# scope: rule
# custom:
#   id: DE-UWG-03
#   citation: UWG s.7a
#   stage: 10
#   confidence: V (5 y), K
flaw contains {"act": i, "rule": "DE-UWG-03", "stage": 10} if {
	_consumer_call
	some i, act in gdpr.permission
	not lib.proven(act)
}

note contains {"rule": "DE-UWG-03", "stage": 10} if {
	_consumer_call
	count(gdpr.consenting) > 0
}

_consumer_call if {
	situation.family
	situation.channel in {"phone", "phone_auto"}
	not input.subject.b2b == true
}
