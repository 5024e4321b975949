# METADATA
# title: Unknown places
# description: |
#   The strictest profile, for people of whom nobody knows where they live, and for countries whose law isn't here. How
#   a consent must be given is in the table `consents`; what else is asked is below.
package volens.unknown

import data.volens.elsewhere
import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Proven prior opt-in of an adult, or a parent's consent, to this purpose on this channel.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 10
#   confidence: P
gate contains {"rule": "ENG-UNK-01", "stage": 10} if situation.ordinary

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: No signal speaks against it, of whatever date, and no policy of the tenant relaxes that (RULES D10(14)).
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 5
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 5} if {
	situation.ordinary
	input.signals.gpc == true
}

deny contains {"rule": "ENG-UNK-01", "stage": 5} if {
	situation.ordinary
	some act in input.acts
	act.action == "gpc"
	not _latest_consent > act.rank
}

# Of all registers, an opt-in later than the listing beats it, and none without its record.
deny contains {"rule": "ENG-UNK-01", "stage": 5} if {
	situation.family
	_listed
	not _agreed_since
}

_listed if {
	some list, channels in data.volens.listings
	situation.channel in channels
	input.signals[list] == true
}

_listed if count(_recorded) > 0

_recorded contains act.rank if {
	some act in input.acts
	act.action == "dnc_listed"
	situation.channel in data.volens.listings.dnc_listed
	act.channel in {situation.channel, "any"}
}

_agreed_since if {
	count(_recorded) > 0
	_latest_consent > max(_recorded)
}

_latest_consent := lib.latest(input.acts, object.get(elsewhere.consenting, "ZZ", set()))

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Children need a parent.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 7
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 7} if "ZZ" in elsewhere.unattended

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Machines decide nothing alone.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 9
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 9} if situation.purpose == "adm"

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: The message has all that any law asks of its content.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 13
#   confidence: P
deny contains {"rule": "ENG-UNK-01", "stage": 13} if elsewhere.defective

deny contains {"rule": "ENG-UNK-01", "stage": 13} if {
	situation.family
	situation.channel == "email"
	input.context.postal_address_present == false
}

# METADATA
# title: Where the place is unknown, the strictest profile must be met
# description: Nine to eight, and not on Sundays.
# scope: rule
# custom:
#   id: ENG-UNK-01
#   citation: ENG-MULTI-01; GDPR Art. 25(2)
#   stage: 14
#   confidence: P
late contains {"rule": "ENG-UNK-01", "stage": 14} if {
	engine.hours_bind
	"ENG-QH-01" in engine.closed
}
