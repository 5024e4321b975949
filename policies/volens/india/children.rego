package volens.india

import data.volens.elsewhere
import data.volens.situation

# METADATA
# title: Children are neither tracked nor targeted, and need a parent's consent
# description: No parent can consent to tracking.
# scope: rule
# custom:
#   id: IN-DPDP-02
#   citation: DPDP Act s.9; Rules r.10-12
#   stage: 7
#   confidence: K
deny contains {"rule": "IN-DPDP-02", "stage": 7} if {
	_reformed
	situation.minor
	_tracks
}

deny contains {"rule": "IN-DPDP-02", "stage": 7} if {
	_reformed
	"IN" in elsewhere.unattended
}

# Whose consent was given too early is told so.
failing contains {"rule": "IN-DPDP-02", "stage": 7} if {
	_reformed
	some act in elsewhere.sound
	not elsewhere.of_age(act, elsewhere.measure.IN)
}

note contains {"rule": "IN-DPDP-02", "stage": 7} if {
	_reformed
	situation.ordinary
	situation.minor
}

_tracks if situation.purpose in {"targeted_ads", "profiling", "personalization", "analytics", "email_tracking"}

_tracks if {
	situation.family
	input.context.profiled == true
}

_tracks if {
	situation.ordinary
	input.context.custom_audience_upload == true
}

# METADATA
# title: No rule grants permission
# description: Until then children below thirteen need a parent for marketing and profiling (RULES D10(10)).
# scope: rule
# custom:
#   id: ENG-DENY-01
#   citation: GDPR Art. 5(1)(a), 5(2), 6(1), 24, 25(2)
#   stage: 7
#   confidence: K
deny contains {"rule": "ENG-DENY-01", "stage": 7} if {
	not _reformed
	elsewhere.about_children
	"IN" in elsewhere.unattended
}
