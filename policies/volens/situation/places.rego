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
# description: True for a place where the GDPR is the law.
member(code) if "gdpr" in lib.place(code).regimes

# METADATA
# description: The sender is established under the GDPR.
member_sender if member(input.places.sender)

# METADATA
# description: The states of the EEA whose own law applies too.
members contains lib.country(code) if {
	some code in places
	member(code)
}

# METADATA
# description: Union law applies, by the person's place, or by that of the sender, whose national law is not added.
european if count(members) > 0

european if member_sender

# METADATA
# description: German law applies.
german if "DE" in members

# METADATA
# description: Federal law of the United States applies.
american if {
	some code in places
	"us_federal" in lib.place(code).regimes
}

# METADATA
# description: The law of California applies.
californian if {
	some code in places
	"ccpa" in lib.place(code).regimes
}

# METADATA
# description: Places whose law this policy doesn't hold.
unheld contains code if {
	some code in places
	not _held(code)
}

# METADATA
# description: More than one place has a say, or the sender sits in another country.
abroad if count(_all_places) > 1

abroad if lib.country(input.places.sender) != lib.country(input.places.residence)

_all_places contains input.places.residence

_all_places contains input.places.also

_all_places contains input.places.employer

_all_places contains input.places.location

_held(code) if lib.place(code).implemented == true
