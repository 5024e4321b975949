package volens.eprivacy

import data.volens.engine
import data.volens.france
import data.volens.gdpr
import data.volens.germany
import data.volens.ireland
import data.volens.lib
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
	not _carrying[state]
}

_customer if input.subject.is_customer == true

_customer if {
	some act in input.acts
	act.action in {"purchase", "free_account", "inquiry", "support_given", "basket_abandoned"}
}

note contains {"rule": "EU-EPD-02", "stage": 10} if count(_carrying) > 0

basis_in[state] contains "soft_opt_in" if some state, _ in _carrying

# METADATA
# description: The sales that carry a soft opt-in, by position.
soft contains i if some i in _carrying[_]

_carrying[state] contains i if {
	own_purpose
	similar_offer
	some state in situation.under.eprivacy
	situation.channel in lib.chosen(state, "soft_opt_in")
	some i, act in input.acts
	_sold(act)
	begins_relation(act)
	_fresh(act, state)
}

# METADATA
# description: What a sale is followed up for.
own_purpose if situation.purpose in {"marketing", "reconsent", "survey"}

# METADATA
# description: What is offered is the seller's own and like what was sold, to an adult, and can be refused.
similar_offer if {
	input.context.similar_product == true
	input.context.same_seller == true
	own_offer
}

# METADATA
# description: What is offered stays with the sender, is made to an adult without sensitive data, and can be refused.
own_offer if {
	not input.context.optout_in_message == false
	not situation.discloses
	not situation.minor
	not gdpr.sensitive
}

# METADATA
# description: True when contact with the asking sender began by this act, and could be refused there.
begins_relation(act) if {
	act.optout_offered_at_collection == true
	not act.future
	not act.person
	not engine.passed_on(act)
	not act.purpose == "product_safety"
	not "other" in {object.get(act, field, "") | some field in ["seller", "brand", "address"]}
}

_sold(act) if act.action == "purchase"

_sold(act) if {
	act.action == "free_account"
	act.indirect_remuneration == true
}

_fresh(_, state) if {
	not state in {"DE", "FR", "IE"}
	gdpr.active
}

_fresh(act, "DE") if germany.used(act)

_fresh(_, "FR") if france.active

_fresh(act, "IE") if ireland.used(act)
