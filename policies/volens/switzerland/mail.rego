# METADATA
# title: Switzerland
# description: |
#   The Act against Unfair Competition (UCA) and the Data Protection Act (FADP). How a consent is given and refused is
#   in `elsewhere`; what needs none is an opt-out regime.
# related_resources:
# - https://www.fedlex.admin.ch/eli/cc/1988/223_223_223/en
# - https://www.fedlex.admin.ch/eli/cc/2022/491/en
package volens.switzerland

import data.volens.elsewhere
import data.volens.eprivacy
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Mass mail, texts and automatic calls need consent, or a sale
# description: Of businesses too, and by whatever else reaches people in masses. An account is no sale.
# scope: rule
# custom:
#   id: CH-UCA-01
#   citation: UCA Art. 3(1)(o)
#   stage: 10
#   confidence: V
gate contains {"rule": "CH-UCA-01", "stage": 10} if _sent_in_masses

_sent_in_masses if {
	situation.family
	situation.channel in {"email", "sms", "messaging_app", "social_dm", "fax", "push"}
}

_sent_in_masses if {
	situation.family
	situation.automatic_call
}

# METADATA
# description: The sales that carry a soft opt-in, by position. By e-mail alone (RULES D9(15)).
soft contains i if {
	situation.channel == "email"
	eprivacy.own_purpose
	eprivacy.similar_offer
	gdpr.active
	some i, act in input.acts
	_bought(act)
	eprivacy.begins_relation(act)
}

basis contains "soft_opt_in" if count(soft) > 0

_bought(act) if {
	act.action == "purchase"
	not act.future
	not act.person
	not act.seller == "other"
}

# METADATA
# title: Mass mail, texts and automatic calls need consent, or a sale
# description: The sender is the right one, and there is a way out.
# scope: rule
# custom:
#   id: CH-UCA-01
#   citation: UCA Art. 3(1)(o)
#   stage: 13
#   confidence: V
deny contains {"rule": "CH-UCA-01", "stage": 13} if {
	_sent_in_masses
	elsewhere.defective
}

# METADATA
# title: Consent goes stale
# description: A sale does too.
# scope: rule
# custom:
#   id: ENG-STALE-01
#   citation: EDPB Guidelines 05/2020 paras 110-111; GDPR Art. 5(1)(c),(e)
#   stage: 10
#   confidence: P/G
failing contains {"rule": "ENG-STALE-01", "stage": 10} if {
	_sent_in_masses
	some act in input.acts
	_bought(act)
	not gdpr.active
}
