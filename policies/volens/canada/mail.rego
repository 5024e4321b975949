# METADATA
# title: Canada
# description: CASL and the rules about unsolicited calls. How an express consent is given is in elsewhere.
# related_resources:
# - https://laws-lois.justice.gc.ca/eng/acts/E-1.6/
package volens.canada

import data.volens.elsewhere
import data.volens.situation

_electronic if situation.channel in {"email", "sms", "social_dm"}

_commercial if {
	situation.family
	_electronic
}

# METADATA
# title: Commercial messages need consent, express or implied
# description: A message that asks for consent is one.
# scope: rule
# custom:
#   id: CA-CASL-01
#   citation: CASL (S.C. 2010 c.23) s.6, 10(1), 13, 1(3)
#   stage: 10
#   confidence: V
gate contains {"rule": "CA-CASL-01", "stage": 10} if _commercial

# METADATA
# title: A purchase, an inquiry, a donation or a published address implies consent
# description: To what the sender says for itself. Whoever asked for support asked about nothing that is sold.
# scope: rule
# custom:
#   id: CA-CASL-02
#   citation: CASL s.10(9)-(13)
#   stage: 10
#   confidence: V
gate contains {"rule": "CA-CASL-02", "stage": 10} if count(implied) > 0

tried contains {"rule": "CA-CASL-02", "stage": 10} if {
	_commercial
	some act in input.acts
	act.action in {"purchase", "support_given", "inquiry", "published_address"}
}

basis contains "consent" if count(implied) > 0

# METADATA
# description: The acts that imply consent to what is asked, by position.
implied contains i if {
	_commercial
	_for_itself
	some i, act in input.acts
	_relation(act, data.volens.periods.casl)
}

implied contains i if {
	_commercial
	_for_itself
	input.context.relevant_to_role == true
	some i, act in input.acts
	act.action == "published_address"
	act.channel in {situation.channel, "any"}
	not act.no_solicitation_statement == true
	not act.future
	not act.person
}

_for_itself if {
	situation.purpose in {"marketing", "reconsent", "survey", "fundraising"}
	not situation.discloses
}

# True for what began a relation with the sender that has not ended since.
_relation(act, months) if {
	act.months_past < months[act.action]
	not act.future
	not act.person
	not act.seller == "other"
	not _about_support(act)
}

_about_support(act) if {
	act.action == "inquiry"
	act.purpose == "support"
}

# METADATA
# title: Who unsubscribed stays unsubscribed
# description: Whatever is bought later; express consent alone begins anew.
# scope: rule
# custom:
#   id: CA-CASL-03
#   citation: CASL s.11(1)-(4)
#   stage: 4
#   confidence: V
deny contains {"rule": "CA-CASL-03", "stage": 4} if {
	_electronic
	_among(elsewhere.barred)
}

# METADATA
# title: Who unsubscribed stays unsubscribed
# description: So does who was erased (RULES D9(11)).
# scope: rule
# custom:
#   id: CA-CASL-03
#   citation: CASL s.11(1)-(4)
#   stage: 1
#   confidence: V
deny contains {"rule": "CA-CASL-03", "stage": 1} if _among(elsewhere.ended)

_among(places) if count(situation.under.canada & places) > 0

# METADATA
# title: Every message names its sender, an address and a way out
# description: Messages that serve too, but for answers.
# scope: rule
# custom:
#   id: CA-CASL-04
#   citation: CASL s.6(2), 6(6); SOR/2012-36
#   stage: 13
#   confidence: V
deny contains {"rule": "CA-CASL-04", "stage": 13} if incomplete

# METADATA
# description: Something is declared to be missing from a message that must have it.
incomplete if {
	_must_be_complete
	false in {
		object.get(input.context, "sender_identified", true),
		object.get(input.context, "postal_address_present", true),
		object.get(input.context, "optout_in_message", true),
	}
}

note contains {"rule": "CA-CASL-04", "stage": 13} if _must_be_complete

_must_be_complete if _commercial

_must_be_complete if {
	_electronic
	situation.purpose == "doi_confirmation"
}

_must_be_complete if transactional

# METADATA
# description: A message that serves, and not an answer.
transactional if {
	_electronic
	situation.service
	not _asked_for
}

# METADATA
# title: Answers, mail among business partners and legal notices are exempt
# scope: rule
# custom:
#   id: CA-CASL-05
#   citation: CASL s.6(5); SOR/2013-221 s.3
#   stage: 6
#   confidence: V
gate contains {"rule": "CA-CASL-05", "stage": 6} if _exempt

gate contains {"rule": "CA-CASL-05", "stage": 6} if {
	_electronic
	_asked_for
	situation.service
}

gate contains {"rule": "CA-CASL-05", "stage": 6} if {
	_electronic
	situation.duty
}

tried contains {"rule": "CA-CASL-05", "stage": 6} if {
	_electronic
	_asked_for
	situation.carries_promotion
}

basis contains "none" if _exempt

_exempt if {
	_commercial
	_for_itself
	_asked_for
	not situation.carries_promotion
}

_exempt if {
	_commercial
	_for_itself
	input.subject.b2b == true
	input.subject.is_customer == true
	input.context.relevant_to_role == true
}

_asked_for if input.context.requested_by_subject == true
