package volens.gdpr

import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: Consent
# description: |
#   The opt-ins on file and the consents of parents that reach the question, by position. What is wrong with each is
#   a flaw; an act without any is a consent (Art. 4(11), 6(1)(a), 7, 8).
permission[i] := act if {
	some i, act in input.acts
	act.action == "opt_in"
	not act.future
}

permission[i] := act if some i, act in _parents

_parents[i] := act if {
	some i, act in input.acts
	act.action == "parental_consent"
	not act.future
	situation.child_then(act)
	lib.parent_covers(act, situation.channel, situation.purpose, situation.disclosing)
}

# METADATA
# description: The acts that are a valid consent to what is asked.
# scope: document
consenting contains i if {
	some i, _ in permission
	not i in _flawed
}

_flawed contains fault.act if some fault in _faults

_faults contains fault if some fault in flaw

# METADATA
# description: What is wrong with the acts that came after a refusal, an erasure or a suppression and didn't open again.
futile contains {"rule": fault.rule, "stage": fault.stage} if {
	situation.ordinary
	some fault in _faults
	some rank in _closed
	input.acts[fault.act].rank > rank
}

# METADATA
# title: Silence is no consent
# scope: rule
# custom:
#   id: EU-CON-01
#   citation: GDPR Art. 4(11), Rec. 32; CJEU C-673/17 Planet49; EDPB 05/2020 paras 75-87
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-01", "stage": 10} if {
	some i, act in permission
	not _affirmative(act)
}

_affirmative(act) if {
	lib.counts(act, situation.channel)
	not lib.steered(act)
}

# METADATA
# title: Consent is given freely
# scope: rule
# custom:
#   id: EU-CON-02
#   citation: GDPR Art. 7(4), Rec. 42-43; EDPB 05/2020 paras 13-54
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-02", "stage": 10} if {
	some i, act in permission
	not _free(act)
}

_free(act) if {
	not act.method == "terms"
	not act.unbundled == false
	not _bought(act)
	not lib.steered(act)
	not _dependent
}

_dependent if input.subject.relationship in {"employee", "other"}

_bought(act) if {
	act.incentive == true
	not act.unbundled == true
}

# METADATA
# title: One consent for one purpose
# scope: rule
# custom:
#   id: EU-CON-03
#   citation: GDPR Art. 6(1)(a), 6(4), 5(1)(b), Rec. 32, 43; EDPB 05/2020 paras 55-61, 121-123
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-03", "stage": 10} if {
	some i, act in permission
	not _specific(act)
}

_specific(act) if {
	_names_purpose(act)
	not act.brand == "other"
}

_names_purpose(act) if act.action == "parental_consent"

_names_purpose(act) if lib.covers_purpose(act.purpose, situation.purpose)

# METADATA
# title: Consent is informed
# scope: rule
# custom:
#   id: EU-CON-04
#   citation: GDPR Art. 4(11), 7(2), 13, Rec. 42; EDPB 05/2020 paras 62-74
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-04", "stage": 10} if {
	some i, act in permission
	not _informed(act)
}

_informed(act) if {
	act.notice.version == true
	not act.notice.shown == false
}

# METADATA
# title: Consent is proven
# scope: rule
# custom:
#   id: EU-CON-05
#   citation: GDPR Art. 5(2), 7(1), Rec. 42; EDPB 05/2020 paras 104-108
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-05", "stage": 10} if {
	some i, act in permission
	not _demonstrable(act)
}

_demonstrable(act) if {
	lib.proven(act)
	lib.counts(act, situation.channel)
	not act.person
}

# METADATA
# title: It is not certain that this reaches the person
# scope: rule
# custom:
#   id: ENG-ID-01
#   citation: GDPR Art. 5(1)(d),(f), 7(1); 47 CFR 64.1200(m) (reassigned numbers database)
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "ENG-ID-01", "stage": 10} if {
	some i, act in permission
	not _of_the_person(act)
}

_of_the_person(act) if {
	not act.person
	not act.address == "other"
	not engine.passed_on(act)
}

# METADATA
# title: Special categories need explicit consent
# scope: rule
# custom:
#   id: EU-CON-07
#   citation: GDPR Art. 9(1), 9(2)(a), 4(13)-(15); CJEU C-184/20, C-252/21, C-21/23 Lindenapotheke, C-446/21
#   stage: 8
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-07", "stage": 8} if {
	special
	some i, act in permission
	not _explicit_about_it(act)
}

_explicit_about_it(act) if {
	act.explicit == true
	act.covers_category == true
}

# METADATA
# description: Data of a special category are used, inferred ones included. Unknown categories are.
special if input.context.special_category

special if {
	input.context.sensitive
	not input.context.sensitive in {"precise_geolocation", "under16"}
}

# METADATA
# description: |
#   Data that take consent, explicit or not: those of special categories, of people under sixteen, and where exactly
#   somebody is (RULES D10(14)).
# scope: document
sensitive if special

sensitive if input.context.sensitive

# METADATA
# title: The text has not changed materially since
# scope: rule
# custom:
#   id: EU-CON-09
#   citation: GDPR Art. 4(11), 6(4), 13(3), 7(1); EDPB 05/2020 para 110
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-09", "stage": 10} if {
	some i, act in permission
	act.notice.material_change == true
}

note contains {"rule": "EU-CON-09", "stage": 10} if {
	some i in consenting
	input.acts[i].notice.current == false
}

# METADATA
# title: A promised end binds
# scope: rule
# custom:
#   id: EU-CON-10
#   citation: GDPR Art. 5(1)(a), 5(1)(e), 13(2)(a); EDPB 05/2020 paras 110-111
#   stage: 10
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-10", "stage": 10} if {
	some i, act in permission
	act.expired == true
}

note contains {"rule": "EU-CON-10", "stage": 10} if {
	some i in consenting
	input.acts[i].expires == true
}

# METADATA
# title: Consent is per channel
# scope: rule
# custom:
#   id: EU-CON-11
#   citation: ePrivacy Dir. Art. 13(1); GDPR Art. 4(11); BGH 1.2.2018 III ZR 196/17 (one declaration for several channels ok)
#   stage: 10
#   confidence: V (BGH), K
flaw contains {"act": i, "rule": "EU-CON-11", "stage": 10} if {
	some i, act in permission
	not _for_channel(act)
}

_for_channel(act) if act.action == "parental_consent"

_for_channel(act) if lib.names_channel(act, situation.channel)

note contains {"rule": "EU-CON-11", "stage": 10} if {
	some i in consenting
	input.acts[i].several == true
}

# METADATA
# title: Whoever relies on a consent was named in it
# scope: rule
# custom:
#   id: EU-CON-14
#   citation: GDPR Art. 4(11), 7(1), Rec. 42; EDPB 05/2020 para 65; ePrivacy Dir. Art. 13(1)
#   stage: 11
#   confidence: K
flaw contains {"act": i, "rule": "EU-CON-14", "stage": 11} if {
	some i, act in permission
	not _named(act)
}

_named(act) if {
	lib.names_sender(act)
	not _recipient_unnamed(act)
}

_recipient_unnamed(act) if {
	situation.purpose == "partner_marketing"
	input.context.recipient_given == true
	not act.recipients == "recipient"
}

note contains {"rule": "EU-CON-14", "stage": 11} if {
	some i in consenting
	input.acts[i].controllers
}

note contains {"rule": "EU-CON-02", "stage": 10} if {
	some i in consenting
	input.acts[i].incentive == true
}

# METADATA
# title: A refusal is overcome by a fresh and complete consent alone
# scope: rule
# custom:
#   id: EU-CON-12
#   citation: GDPR Art. 4(11), 7(1), 7(3), 21(3)
#   stage: 4
#   confidence: K
note contains {"rule": "EU-CON-12", "stage": 4} if {
	some rank in _ended
	some act in input.acts
	act.action in {"opt_in", "parental_consent", "purchase"}
	not act.future
	act.rank > rank
}
