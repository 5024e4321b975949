package volens.engine

import data.volens.elsewhere
import data.volens.gdpr
import data.volens.lib
import data.volens.situation
import data.volens.us_federal

# METADATA
# title: Quiet hours
# description: |
#   Hours bind the marketing family on calls and texts. The local minute must lie in a window everywhere that the
#   recipient may be; with no zone known it lies in none.
hours_bind if {
	situation.family
	situation.channel in data.volens.bands.clock_channels
	count(windows) > 0
}

# METADATA
# description: |
#   The windows that apply, of every place that the person has. Someone else's Union law alone brings none (RULES
#   D9(21)). A state's window stands beside the federal one; where no statute has one, the policy does (RULES D7).
windows contains window if {
	some place in _clocked
	window := _statutory[place]
}

windows contains data.volens.windows.federal[lib.country(place)] if some place in _clocked

windows contains object.union(input.overlay.hours, {"rule": "ENG-OWN-01"}) if {
	situation.channel in input.overlay.hours.channels
}

windows contains data.volens.windows.default if {
	some place in _clocked
	not _legislated(place)
}

_clocked contains _ruling(place) if {
	some place in situation.judged
	place != "EU"
}

_statutory[place] := window if {
	some place in _clocked
	window := data.volens.windows.places[place]
	situation.channel in window.channels
	_protects(window)
	not _not_yet(window)
}

_not_yet(window) if {
	rule := window.since[situation.channel]
	not rule in situation.begun
}

_protects(window) if not window.consumers_only == true

_protects(_) if not situation.business

# A subdivision without hours of its own has those of its country, unless the federation has some for all.
_ruling(place) := place if {
	data.volens.windows.places[place]
} else := place if {
	data.volens.windows.federal[lib.country(place)]
} else := lib.country(place)

_legislated(place) if _statutory[place]

_legislated(place) if data.volens.windows.federal[lib.country(place)]

# METADATA
# description: The windows that are closed now, somewhere.
closed contains window.rule if {
	some window in windows
	not _open(window)
}

_open(window) if {
	count(_local) > 0
	every here in _local {
		_open_at(window, here)
	}
}

_local := object.get(input.clock, "local", [])

_open_at(window, here) if {
	not _shut(window, here)
	some span in window.days[_weekdays[here.weekday]]
	here.minute >= span[0]
	here.minute < span[1]
}

# The person's own hours widen open days only (RULES D9(22)), and not what the tenant has narrowed.
_open_at(window, here) if {
	not _shut(window, here)
	window.days[_weekdays[here.weekday]]
	window.rule != "ENG-OWN-01"
	_agreed
}

_shut(window, here) if {
	here.holiday == true
	window.on_holidays == false
}

_weekdays := ["", "1", "2", "3", "4", "5", "6", "7"]

# By a consent that holds in every place that has a say, and that no refusal has overtaken.
_agreed if {
	some i, act in input.acts
	act.hours_open == true
	every place in situation.judged {
		_consents(place, i)
	}
	every refusal in reaching {
		act.rank > input.acts[refusal].rank
	}
}

_consents(place, i) if {
	place in situation.under.gdpr
	i in gdpr.consenting
}

_consents(place, i) if {
	place in situation.under.us_federal
	i in us_federal.consenting
}

_consents(place, i) if i in elsewhere.consenting[place]

# METADATA
# description: Some later hour will be open. Without a zone nobody can say which (RULES D7).
reopens if count(_local) > 0

# METADATA
# title: Not at this hour
# scope: rule
# custom:
#   id: ENG-QH-01
#   citation: 47 CFR 64.1200(c)(1); C. conso. D.223-9
#   stage: 14
#   confidence: K
late contains {"rule": "ENG-QH-01", "stage": 14} if {
	hours_bind
	count(closed) > 0
}

# METADATA
# title: The tenant's own policy is stricter
# scope: rule
# custom:
#   id: ENG-OWN-01
#   citation: The tenant's overlay
#   stage: 14
#   confidence: P
late contains {"rule": "ENG-OWN-01", "stage": 14} if {
	hours_bind
	"ENG-OWN-01" in closed
}

note contains {"rule": "ENG-QH-01", "stage": 14} if {
	hours_bind
	count(closed) == 0
}
