package volens.eprivacy

import data.volens.gdpr
import data.volens.germany
import data.volens.situation

# METADATA
# title: Own customers, by e-mail, about similar products
# description: All four conditions must hold (RULES D9(15)); a purchase revives no refusal.
# scope: rule
# custom:
#   id: EU-EPD-02
#   citation: ePrivacy Dir. Art. 13(2), Rec. 41; GDPR Art. 95; CJEU 13.11.2025 C-654/23 Inteligo Media
#   stage: 10
#   confidence: V
tried contains {"rule": "EU-EPD-02", "stage": 10} if {
	situation.family
	situation.channel in {"email", "sms", "messaging_app", "social_dm"}
	_customer
	some state in situation.under.eprivacy
	not basis_in[state]
}

_customer if input.subject.is_customer == true

_customer if {
	some act in input.acts
	act.action in {"purchase", "free_account", "inquiry", "support_given", "basket_abandoned"}
}

note contains {"rule": "EU-EPD-02", "stage": 10} if count(basis_in) > 0

_eligible if {
	situation.purpose in {"marketing", "reconsent", "survey"}
	situation.channel == "email"
}

_sales contains i if {
	some i, act in input.acts
	act.action in {"purchase", "free_account"}
	not act.future
}

# METADATA
# description: The states that permit on a soft opt-in.
# scope: document
basis_in[state] contains "soft_opt_in" if {
	some state, acts in _carrying
	count(acts) > 0
	not _blocked(state)
}

_blocked("DE") if germany.registered

# METADATA
# description: The sales that carry a soft opt-in, by position.
soft contains i if some i in _carrying[_]

_carrying[state] contains i if {
	_eligible
	_own_similar_offer
	some state in situation.under.eprivacy
	some i in _sales
	_carries(input.acts[i], state)
}

_own_similar_offer if {
	input.context.similar_product == true
	input.context.same_seller == true
	not input.context.optout_in_message == false
	not situation.discloses
	not situation.minor
	not gdpr.special
}

_carries(act, state) if {
	act.optout_offered_at_collection == true
	_sold(act)
	_fresh(act, state)
	not act.person
	not act.purpose == "product_safety"
	not "other" in {object.get(act, field, "") | some field in ["seller", "brand", "address"]}
}

_sold(act) if act.action == "purchase"

_sold(act) if act.indirect_remuneration == true

_fresh(_, state) if {
	state != "DE"
	gdpr.active
}

_fresh(act, "DE") if germany.used(act)
