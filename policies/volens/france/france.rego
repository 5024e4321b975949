# METADATA
# title: France
# description: The posts and telecommunications code (CPCE), the consumer code, and what the CNIL asks for.
# related_resources:
# - https://www.legifrance.gouv.fr/codes/article_lc/LEGIARTI000042155961
package volens.france

import data.volens.eprivacy
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Mail, texts and automatic calls to people need consent, to businesses about their work an interest
# description: A business is told when its address is collected, and can object.
# scope: rule
# custom:
#   id: FR-CPCE-01
#   citation: CPCE Art. L.34-5; CNIL doctrine
#   stage: 10
#   confidence: V (CNIL B2B), K
gate contains {"rule": "FR-CPCE-01", "stage": 10} if _electronic

_electronic if {
	situation.family
	situation.channel in {"email", "sms"}
}

_electronic if {
	situation.family
	situation.automatic_call
}

basis contains "legitimate_interest" if {
	_electronic
	situation.business
	gdpr.own_marketing
	gdpr.balanced
	eprivacy.work_related
	input.context.informed_at_collection == true
}

# METADATA
# title: Who opens a mail is watched on consent only
# scope: rule
# custom:
#   id: FR-PIX-01
#   citation: Loi Informatique et Libertes Art. 82; CNIL draft 12.6.2025; ePrivacy Art. 5(3)
#   stage: 10
#   confidence: V (draft), D
gate contains {"rule": "FR-PIX-01", "stage": 10} if situation.purpose == "email_tracking"
