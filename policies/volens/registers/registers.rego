# METADATA
# title: Registers
# description: National registers of those who don't want to be called or written to, and the Robinson lists.
package volens.registers

import data.volens.elsewhere
import data.volens.gdpr
import data.volens.italy
import data.volens.lib
import data.volens.situation

# METADATA
# title: National registers and Robinson lists are honoured
# description: |
#   By phone and post only an opt-in later than the listing counts; by mail and text they block all but consent
#   (RULES D9(14)).
# scope: rule
# custom:
#   id: DSR-NAT-01
#   citation: ePrivacy Dir. Art. 13(3); national law
#   stage: 5
#   confidence: K
deny contains {"rule": "DSR-NAT-01", "stage": 5} if {
	situation.family
	some listing in _binding
	not _agreed_all_the_same(listing.state)
}

note contains {"rule": "DSR-NAT-01", "stage": 5} if {
	situation.family
	count(listings) > 0
}

# METADATA
# description: |
#   The lists that cover the channel, by state, under the name of the signal. A record of a listing is one, also
#   without a signal (RULES D10(5)).
listings contains {"state": state, "list": list} if {
	some state in situation.under.registers
	some list, channels in _lists(state)
	situation.channel in channels
	input.signals[list] == true
	not _ended(state, list)
}

listings contains {"state": state, "list": "dnc_listed"} if {
	some state in situation.under.registers
	situation.channel in lib.chosen(state, "records_of_listing")
	count(_recorded) > 0
}

_lists(state) := object.union(data.volens.member_states.other.registers, lib.chosen(state, "registers"))

_ended(state, list) if data.volens.member_states[state].registers_ended[list] in situation.begun

_binding contains listing if {
	some listing in listings
	not _spared(listing)
}

# Italy's register leaves alone what was agreed within a contract that runs.
_spared(listing) if {
	listing.state == "IT"
	listing.list != "robinson_listed"
	italy.agreed_within_a_contract
}

_recorded contains act.rank if {
	some act in input.acts
	act.action == "dnc_listed"
	act.channel in {situation.channel, "any"}
}

_agreed_all_the_same(state) if opted_in_since(state)

_agreed_all_the_same(state) if {
	situation.channel in {"email", "sms"}
	count(_consenting[state]) > 0
}

# METADATA
# description: |
#   True when an opt-in that is valid in the state is later than every record of a listing. Without such a record none
#   can be shown to be.
opted_in_since(state) if {
	count(_recorded) > 0
	lib.latest(input.acts, _consenting[state]) > max(_recorded)
}

_consenting[state] := gdpr.consenting if some state in situation.under.gdpr

_consenting[state] := positions if some state, positions in elsewhere.consenting
