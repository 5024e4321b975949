# METADATA
# title: Norway
# description: The Marketing Control Act. Its register of those who don't want calls is one like others.
# related_resources:
# - https://lovdata.no/dokument/NL/lov/2009-01-09-2
package volens.norway

import data.volens.situation

# METADATA
# title: Mail, texts and automatic calls to people need consent
# scope: rule
# custom:
#   id: NO-MFL-01
#   citation: Markedsforingsloven s.15, 12
#   stage: 10
#   confidence: K
gate contains {"rule": "NO-MFL-01", "stage": 10} if {
	situation.family
	not situation.business
	_electronic
}

_electronic if situation.channel in {"email", "sms"}

_electronic if situation.automatic_call
