# METADATA
# title: Brazil
# description: The LGPD and the digital statute of children. How a consent is given is in elsewhere.
package volens.brazil

import data.volens.elsewhere
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Marketing needs consent or an expected interest, and ends with opposition
# description: So does every use of data that serves no relation (RULES D10(13)).
# scope: rule
# custom:
#   id: BR-LGPD-01
#   citation: LGPD (Lei 13.709) Art. 7 I, IX, 8, 10, 18
#   stage: 10
#   confidence: K
gate contains {"rule": "BR-LGPD-01", "stage": 10} if situation.ordinary

basis contains "legitimate_interest" if {
	_expectable
	input.context.lia_on_file == true
	not gdpr.special
}

_expectable if {
	situation.purpose in {"marketing", "reconsent", "survey", "fundraising"}
	not situation.discloses
}

_expectable if {
	situation.purpose in {
		"personalization",
		"profiling",
		"analytics",
		"email_tracking",
		"targeted_ads",
		"fip_enrolment",
		"adm",
	}
}

basis contains "contract" if {
	situation.purpose == "adm"
	input.context.necessary_for_contract == true
}

# METADATA
# title: Marketing needs consent or an expected interest, and ends with opposition
# scope: rule
# custom:
#   id: BR-LGPD-01
#   citation: LGPD (Lei 13.709) Art. 7 I, IX, 8, 10, 18
#   stage: 4
#   confidence: K
deny contains {"rule": "BR-LGPD-01", "stage": 4} if "BR" in elsewhere.barred

# METADATA
# title: Marketing needs consent or an expected interest, and ends with opposition
# description: And with erasure (RULES D9(11)).
# scope: rule
# custom:
#   id: BR-LGPD-01
#   citation: LGPD (Lei 13.709) Art. 7 I, IX, 8, 10, 18
#   stage: 1
#   confidence: K
deny contains {"rule": "BR-LGPD-01", "stage": 1} if "BR" in elsewhere.ended

# METADATA
# title: Children below twelve need a parent's specific consent
# scope: rule
# custom:
#   id: BR-LGPD-03
#   citation: LGPD Art. 14
#   stage: 7
#   confidence: K
deny contains {"rule": "BR-LGPD-03", "stage": 7} if "BR" in elsewhere.unattended

# Whose consent was given too early is told so.
failing contains {"rule": "BR-LGPD-03", "stage": 7} if {
	some act in elsewhere.sound
	not elsewhere.of_age(act, elsewhere.measure.BR)
}

note contains {"rule": "BR-LGPD-03", "stage": 7} if {
	situation.ordinary
	situation.minor
}

# METADATA
# title: Minors are not profiled for advertising
# scope: rule
# custom:
#   id: BR-ECA-01
#   citation: Lei 15.211/2025 (ECA Digital)
#   stage: 7
#   confidence: V
#   in_force: "2026-03-17"
deny contains {"rule": "BR-ECA-01", "stage": 7} if {
	"BR-ECA-01" in situation.begun
	situation.minor
	_profiles_for_advertising
}

_profiles_for_advertising if situation.purpose in {"targeted_ads", "profiling"}

_profiles_for_advertising if {
	situation.family
	_by_profile
}

_by_profile if input.context.profiled == true

_by_profile if input.context.custom_audience_upload == true
