# METADATA
# title: United States, federal law
# description: CAN-SPAM, TCPA and COPPA.
package volens.us_federal

import data.volens.lib
import data.volens.situation

# METADATA
# title: Affirmative consent
# description: The opt-ins, and parents' consents, that count for what is asked and still stand, by position.
# scope: document
consenting contains i if {
	some i in consented
	not withdrawn(input.acts[i])
}

# METADATA
# title: Consents given
# description: Those that have been withdrawn since included, by position.
# scope: document
consented contains i if {
	some i, act in input.acts
	act.action == "opt_in"
	_given(act)
	lib.names_channel(act, situation.channel)
	lib.covers_purpose(act.purpose, situation.purpose)
	not act.evidence == "null"
	old_enough(act)
}

consented contains i if some i in _parents

# METADATA
# description: The consents of parents that reach the question and still stand.
parental contains i if {
	some i in _parents
	not withdrawn(input.acts[i])
}

_parents contains i if {
	some i, act in input.acts
	act.action == "parental_consent"
	situation.child_then(act)
	_given(act)
	lib.proven(act)
	_a_parent_covers(act)
}

_a_parent_covers(act) if lib.parent_covers(act, situation.channel, situation.purpose, situation.disclosing)

# Consent to the sale of data governs the advertising that rests on it (RULES D3).
_a_parent_covers(act) if {
	situation.purpose == "targeted_ads"
	lib.parent_covers(act, situation.channel, "sale_share", true)
}

_given(act) if {
	intact(act, situation.channel)
	not act.notice.material_change == true
	lib.names_sender(act)
	not _recipient_unnamed(act)
	_lasting(act)
}

# METADATA
# description: True for an informed act of someone's own will, still running, of this person, address and brand.
intact(act, channel) if {
	not act.future
	not act.expired
	not act.person
	not act.address == "other"
	not act.brand == "other"
	not act.unbundled == false
	not act.notice.shown == false
	lib.counts(act, channel)
	not lib.steered(act)
}

_recipient_unnamed(act) if {
	situation.purpose == "partner_marketing"
	input.context.recipient_given == true
	not act.recipients == "recipient"
}

# Written consent does not go stale (RULES D7), nor does consent to what someone is served with.
_lasting(act) if in_writing(act)

_lasting(_) if not situation.ordinary

_lasting(_) if _active

_active if input.subject.interaction.months_past < data.volens.periods.stale.other

_active if {
	some act in input.acts
	not act.future
	act.months_past < data.volens.periods.stale.other
	_positive(act)
}

_positive(act) if act.action in {"purchase", "support_given", "inquiry", "free_account"}

_positive(act) if {
	act.action in {"opt_in", "opt_in_sale", "parental_consent"}
	lib.counts(act, act.channel)
	not lib.steered(act)
}

# METADATA
# description: True for an act of someone who needed no parent's consent for it.
old_enough(act) if act.age >= data.volens.ages.coppa

old_enough(act) if {
	not act.age
	not situation.childlike
}

# METADATA
# title: Consent goes stale
# description: A promised end is honoured, and consent that isn't written ends with interest (RULES D7, D9(7)).
# scope: rule
# custom:
#   id: ENG-STALE-01
#   citation: EDPB Guidelines 05/2020 paras 110-111; GDPR Art. 5(1)(c),(e)
#   stage: 10
#   confidence: P/G
failing contains {"rule": "ENG-STALE-01", "stage": 10} if {
	situation.ordinary
	_faded
}

deny contains {"rule": "ENG-STALE-01", "stage": 10} if {
	situation.ordinary
	barred
	_faded
}

_faded if {
	some act in input.acts
	act.action == "opt_in"
	lib.names_channel(act, situation.channel)
	lib.covers_purpose(act.purpose, situation.purpose)
	lib.counts(act, situation.channel)
	not act.future
	_outlived(act)
}

_outlived(act) if act.expired == true

_outlived(act) if not _lasting(act)

# METADATA
# description: True when the act is a written consent (RULES D2).
in_writing(act) if act.method == "e_sign"

in_writing(act) if act.evidence == "pewc"

# METADATA
# description: The consents in writing.
written contains i if {
	some i in consenting
	in_writing(input.acts[i])
}

# METADATA
# description: What permits where this channel asks for consent.
# scope: document
sufficient := written if _asks_for_writing

sufficient := consenting if not _asks_for_writing

_asks_for_writing if {
	situation.family
	situation.channel == "sms"
}

_asks_for_writing if {
	situation.family
	situation.automatic_call
}

# METADATA
# title: Children's data need a parent's consent
# scope: rule
# custom:
#   id: US-COPPA-01
#   citation: 15 U.S.C. 6501-6506; 16 CFR 312.5 (2025 amendments)
#   stage: 7
#   confidence: K
deny contains {"rule": "US-COPPA-01", "stage": 7} if {
	_child
	count(parental) == 0
}

note contains {"rule": "US-COPPA-01", "stage": 7} if {
	situation.ordinary
	situation.minor
}

_child if {
	situation.ordinary
	data.volens.ages.coppa in situation.younger_than
	not input.context.information_society_service == false
}

# METADATA
# description: What is permitted rests on a parent's consent.
on_parental_consent if count(parental) > 0
