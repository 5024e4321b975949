package volens.situation

import data.volens.lib

# METADATA
# title: Places
# description: Where the person lives, is, or works for someone, and with it whose laws apply. The union (ENG-MULTI-01).
places contains input.places.residence

places contains input.places.also

places contains input.places.employer

places contains input.places.location if not only_travelling

# METADATA
# title: Travelling in the Union
# description: Someone from elsewhere is there and is served by a service that isn't meant for the Union (EU-TER-01).
only_travelling if {
	member(input.places.location)
	not member(input.places.residence)
	input.context.targets_eu == false
	not member_sender
}

# METADATA
# description: True for a place of the European Economic Area.
member(code) if "eprivacy" in lib.place(code).regimes

# METADATA
# description: The sender is established under the GDPR.
member_sender if member(input.places.sender)

# METADATA
# description: |
#   The entries of the table of places whose law is asked. A sender in the Union brings the Union's law without any
#   state's (RULES D9(21)), under the name EU.
judged contains lib.entry(code) if some code in places

judged contains "EU" if {
	member_sender
	count(members) == 0
}

# METADATA
# description: The entries that each regime rules.
under[regime] contains place if {
	some place in judged
	some regime in data.volens.places[place].regimes
}

# METADATA
# description: The states of the EEA whose own law applies too.
members contains lib.entry(code) if {
	some code in places
	member(code)
}

# METADATA
# description: Union law applies.
european if under.eprivacy

# METADATA
# description: Union law applies, or may, as nobody knows the place.
# scope: document
european_perhaps if european

european_perhaps if under.unknown

# METADATA
# description: Federal law of the United States applies.
american if under.us_federal

# METADATA
# description: Places whose law this policy doesn't hold.
unheld contains place if {
	some place in judged
	not data.volens.places[place].implemented == true
}

# METADATA
# description: More than one place has a say, or the sender sits in another country.
abroad if count(_all_places) > 1

abroad if lib.country(input.places.sender) != lib.country(input.places.residence)

_all_places contains input.places.residence

_all_places contains input.places.also

_all_places contains input.places.employer

_all_places contains input.places.location
