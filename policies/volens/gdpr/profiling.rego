package volens.gdpr

import data.volens.situation

# METADATA
# title: Profiling without significant effect
# description: First-party profiling of adults may rest on legitimate interest; data from elsewhere need consent.
# scope: rule
# custom:
#   id: EU-PRO-01
#   citation: GDPR Art. 6(1)(f), 13(2)(f), 21(2), 5(1)(c); CJEU C-252/21 Meta, C-446/21 Schrems
#   stage: 10
#   confidence: K
gate contains {"rule": "EU-PRO-01", "stage": 10} if _profiles

_profiles if situation.purpose in {"personalization", "profiling"}

_profiles if {
	situation.purpose == "adm"
	not significant
}

basis contains "legitimate_interest" if {
	_profiles
	situation.channel != "ads"
	not input.context.significant_effect == true
	_first_party
	balanced
}

# METADATA
# title: Platforms show no ads from profiles of children or special categories
# scope: rule
# custom:
#   id: EU-PRO-02
#   citation: DSA Reg. 2022/2065 Art. 26(3), 28(2)
#   stage: 8
#   confidence: K
deny contains {"rule": "EU-PRO-02", "stage": 8} if {
	situation.european_perhaps
	_shown_by_a_platform
	_profiled_ad
	_off_limits
}

note contains {"rule": "EU-PRO-02", "stage": 8} if {
	situation.european
	_shown_by_a_platform
	_profiled_ad
}

_shown_by_a_platform if input.context.online_platform == true

_shown_by_a_platform if input.context.custom_audience_upload == true

_profiled_ad if situation.purpose == "targeted_ads"

_profiled_ad if {
	situation.family
	input.context.profiled == true
}

_profiled_ad if {
	situation.ordinary
	situation.channel == "ads"
}

_off_limits if special

_off_limits if situation.minor

# METADATA
# title: Audiences are shared with others on consent only
# scope: rule
# custom:
#   id: EU-PRO-03
#   citation: GDPR Art. 6(1)(a), 26; EDPB Guidelines 8/2020; BayVGH 26.9.2018 5 CS 18.1157
#   stage: 11
#   confidence: K/D
gate contains {"rule": "EU-PRO-03", "stage": 11} if _shares_audience

_shares_audience if situation.purpose in {"targeted_ads", "sale_share"}

_shares_audience if {
	situation.ordinary
	situation.channel == "ads"
}

_shares_audience if {
	situation.ordinary
	input.context.custom_audience_upload == true
}

# METADATA
# title: Special categories need explicit consent
# scope: rule
# custom:
#   id: EU-CON-07
#   citation: GDPR Art. 9(1), 9(2)(a), 4(13)-(15); CJEU C-184/20, C-252/21, C-21/23 Lindenapotheke, C-446/21
#   stage: 8
#   confidence: K
gate contains {"rule": "EU-CON-07", "stage": 8} if {
	situation.ordinary
	special
}

# METADATA
# title: One consent for one purpose
# scope: rule
# custom:
#   id: EU-CON-03
#   citation: GDPR Art. 6(1)(a), 6(4), 5(1)(b), Rec. 32, 43; EDPB 05/2020 paras 55-61, 121-123
#   stage: 10
#   confidence: K
gate contains {"rule": "EU-CON-03", "stage": 10} if situation.purpose in {"sensitive_use", "fip_enrolment"}

basis contains "consent" if {
	situation.ordinary
	count(consenting) > 0
}
