package volens.uk

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Direct marketing may be a legitimate interest, and genuine research is no marketing
# description: It is an example of one, to be weighed, and none of the recognised ones that need no weighing.
# scope: rule
# custom:
#   id: GB-LI-01
#   citation: UK GDPR Art. 6(1)(f), (9)-(11), Annex 1 (DUAA s.70)
#   stage: 10
#   confidence: V (s.70 in force), K
gate contains {"rule": "GB-LI-01", "stage": 10} if research

gate contains {"rule": "GB-LI-01", "stage": 10} if {
	_marketing
	situation.channel in {"post", "in_app", "web"}
}

failing contains {"rule": "GB-LI-01", "stage": 10} if {
	_marketing
	input.context.basis_claimed in {"legitimate_interest", "recognised_legitimate_interest", "other"}
}

basis contains "legitimate_interest" if {
	research
	not situation.discloses
	gdpr.balanced
}

basis contains "legitimate_interest" if {
	situation.purpose == "political_ads"
	gdpr.own_surface
	gdpr.balanced
}

# METADATA
# description: A survey that serves research and nothing else, and so no marketing here.
research if {
	situation.purpose == "survey"
	input.context.genuine_research == true
	input.context.content == "service"
}

_marketing if {
	situation.family
	not research
}

# METADATA
# title: Reading someone's device needs consent
# description: But for statistics of the service itself that are announced (PECR Sch. A1), since 5 February 2026.
# scope: rule
# custom:
#   id: EU-CON-13
#   citation: "ePrivacy Dir. Art. 5(3); EDPB Guidelines 2/2023 (v2, 2024); GB: PECR reg. 6 + Sch. A1 (DUAA s.112)"
#   stage: 10
#   confidence: V (DUAA s.112), K
gate contains {"rule": "EU-CON-13", "stage": 10} if situation.purpose in {"analytics", "email_tracking"}

basis contains "none" if _own_statistics

basis contains "legitimate_interest" if {
	_own_statistics
	gdpr.balanced
}

_own_statistics if {
	"GB-ANALYTICS" in situation.begun
	situation.purpose == "analytics"
	input.context.first_party_only == true
	input.context.notice_given == true
	not situation.discloses
	not gdpr.sensitive
}
