# METADATA
# title: Mailbox providers
# description: What the large providers ask of bulk mail. No law, but mail that breaks it does not arrive.
package volens.mailbox

import data.volens.engine
import data.volens.situation

# METADATA
# title: Bulk mail is left with one click
# scope: rule
# custom:
#   id: GML-01
#   citation: RFC 8058, RFC 2369; Google & Yahoo sender guidelines (Feb/June 2024); Microsoft (5.2025)
#   stage: 13
#   confidence: V
note contains {"rule": "GML-01", "stage": 13} if bulk

note contains {"rule": "GML-01", "stage": 13} if {
	_solicits
	some i in engine.reaching
	input.acts[i].method == "one_click"
}

# METADATA
# description: Mail that must carry the header of RFC 8058.
bulk if {
	_solicits
	input.context.bulk == true
}

_solicits if {
	situation.channel == "email"
	_commercial
}

_commercial if situation.family

_commercial if situation.purpose == "sensitive_use"
