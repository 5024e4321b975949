package volens.switzerland

import data.volens.elsewhere
import data.volens.gdpr
import data.volens.situation

# What needs no basis until the person speaks up (RULES D4, D9(18), D10(13)). Children need a parent (D10(10)), and special categories
# consent.
basis contains "none" if {
	_free
	not gdpr.special
	not _unattended
}

_free if _called

_free if {
	situation.family
	situation.channel in {"post", "in_app", "web", "ads"}
}

_free if {
	situation.purpose in {
		"personalization",
		"profiling",
		"adm",
		"analytics",
		"email_tracking",
		"targeted_ads",
		"sale_share",
		"fip_enrolment",
	}
}

_unattended if {
	elsewhere.about_children
	"CH" in elsewhere.unattended
}

# METADATA
# title: Nobody's data are used against their express word
# scope: rule
# custom:
#   id: CH-FADP-01
#   citation: FADP Art. 30(2)(b), 31
#   stage: 4
#   confidence: K
deny contains {"rule": "CH-FADP-01", "stage": 4} if {
	"CH" in elsewhere.barred
	not situation.service
}

note contains {"rule": "CH-FADP-01", "stage": 4} if _free

# METADATA
# title: Nobody's data are used against their express word
# description: Whoever was erased, or asked for it, has spoken (RULES D9(11)).
# scope: rule
# custom:
#   id: CH-FADP-01
#   citation: FADP Art. 30(2)(b), 31
#   stage: 1
#   confidence: K
deny contains {"rule": "CH-FADP-01", "stage": 1} if "CH" in elsewhere.ended
