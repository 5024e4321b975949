# METADATA
# title: Helpers
# description: Functions that every regime uses. They read their arguments and the tables, never the facts.
package volens.lib

# METADATA
# description: True when the way in which an act was done counts as opting in on `channel` (RULES D2, D9(2), D10(11)).
counts(act, channel) if {
	act.method in data.volens.methods.counts
	not _lacks(act, channel)
}

_lacks(act, channel) if {
	act.method == "cmp"
	not channel in {"web", "in_app", "ads", "push"}
}

_lacks(act, channel) if {
	act.method == "double_opt_in_email"
	channel in {"phone", "phone_auto", "sms"}
}

_lacks(act, _) if {
	act.method == "import"
	not documented(act)
}

# METADATA
# description: True when both the proof and the text that was shown are on file.
documented(act) if {
	proven(act)
	act.notice.version == true
}

# METADATA
# description: True when there is evidence. A missing key is none.
proven(act) if act.evidence in {"present", "pewc"}

# METADATA
# description: True when the choice was steered, or there was none.
steered(act) if act.dark_pattern == true

steered(act) if act.method == "banner"

# METADATA
# description: True when the act names this channel and no other will do.
names_channel(act, channel) if act.channel == channel

# METADATA
# description: True when an opt-in to `given` covers `purpose` (RULES D9(3)). `any` names none.
covers_purpose(given, purpose) if {
	given == purpose
	given != "any"
}

covers_purpose("marketing", "reconsent")

# METADATA
# description: True when who may rely on the act includes who asks (RULES D1, D9(5)).
names_sender(act) if {
	not act.controllers
	act.method != "list"
}

names_sender(act) if act.controllers == "sender"

names_sender(act) if {
	act.controllers == "unasked"
	act.method != "list"
}

# METADATA
# description: True when a parent's consent reaches the question (RULES D9(4)).
parent_covers(act, channel, purpose, discloses) if {
	act.channel in {channel, "any"}
	_parent_names(act.purpose, purpose)
	not _kept_from(act, purpose, discloses)
}

_parent_names(given, purpose) if covers_purpose(given, purpose)

_parent_names("any", _)

_parent_names("collection", _)

# To collect is to use it oneself, whether a partner is named or not.
_kept_from(act, _, true) if _collection_only(act)

_kept_from(act, "partner_marketing", _) if _collection_only(act)

_collection_only(act) if act.purpose == "collection"

_collection_only(act) if act.scope == "collection_only"

# METADATA
# description: |
#   The entry of a place in the table of places. A subdivision without one is judged as its country, and a country
#   without one as an unknown place (RULES D9(21)).
entry(code) := code if {
	data.volens.places[code]
} else := country(code) if {
	data.volens.places[country(code)]
} else := "ZZ"

# METADATA
# description: What the table says about a place.
place(code) := data.volens.places[entry(code)]

# METADATA
# description: The country of a place.
country(code) := substring(code, 0, 2)
