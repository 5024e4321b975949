package volens.germany

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Robinson lists are honoured
# description: By phone and post only a later opt-in counts; by e-mail they block all but consent (RULES D9(14)).
# scope: rule
# custom:
#   id: DSR-NAT-01
#   citation: ePrivacy Dir. Art. 13(3); national law
#   stage: 5
#   confidence: K
deny contains {"rule": "DSR-NAT-01", "stage": 5} if {
	situation.family
	situation.channel in {"phone", "phone_auto", "post"}
	registered
	not _opted_in_since
}

note contains {"rule": "DSR-NAT-01", "stage": 5} if {
	situation.family
	registered
}

# METADATA
# description: The person is on a list that covers the channel.
registered if {
	situation.channel in {"phone", "phone_auto", "post", "email"}
	input.signals.robinson_listed == true
}

registered if count(_listings) > 0

_listings contains act.rank if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in {situation.channel, "any"}
}

_opted_in_since if {
	count(_listings) > 0
	some i in gdpr.consenting
	input.acts[i].rank > max(_listings)
}
