# METADATA
# title: Elsewhere
# description: |
#   What is alike in Canada, Brazil, India and places that nobody knows: how a consent is given, refused and overtaken,
#   and the messages that need none. What these laws ask beyond that is in the packages that bear their names.
package volens.elsewhere

import data.volens.engine
import data.volens.gdpr
import data.volens.lib
import data.volens.situation

# METADATA
# title: The measure of a consent
# description: What each place that has a say asks of one. A reform that has begun replaces what was asked before.
# scope: document
measure[place] := data.volens.consents[_ruling(place)] if some place in situation.under.elsewhere

_ruling(place) := reform if {
	reform := data.volens.consents[place].reformed
	reform in situation.begun
} else := place

# METADATA
# title: Consent
# description: The acts that are a valid consent to what is asked, by place, by position.
# scope: document
consenting[place] contains i if {
	some place, asked in measure
	some i, act in sound
	_lasting(asked)
	_european(i, asked)
	_given(act, asked)
}

# METADATA
# description: |
#   Those of them that nothing has ended since: a later consent opens the door again, and lends none of its qualities
#   to an earlier one.
# scope: document
unbroken[place] contains i if {
	some place, positions in consenting
	some i in positions
	every rank in _endings {
		input.acts[i].rank > rank
	}
}

_endings contains input.acts[i].rank if some i in engine.reaching

_endings contains rank if some rank in engine.erasures

_endings contains input.flags.suppressed_rank

basis_in[place] contains "consent" if {
	situation.ordinary
	some place, _ in consenting
}

# METADATA
# description: The opt-ins and parents' consents that reach the question and have no flaw in themselves, by position.
sound[i] := act if {
	some i, act in input.acts
	_covers(act)
	lib.sound(act, situation.channel)
	not engine.passed_on(act)
	not _recipient_unnamed(act)
}

_covers(act) if {
	act.action == "opt_in"
	lib.names_channel(act, situation.channel)
	lib.covers_purpose(act.purpose, situation.purpose)
}

_covers(act) if {
	act.action == "parental_consent"
	situation.child_then(act)
	lib.parent_covers(act, situation.channel, situation.purpose, situation.disclosing)
}

_recipient_unnamed(act) if {
	situation.purpose == "partner_marketing"
	input.context.recipient_given == true
	not act.recipients == "recipient"
}

# A parent's consent has no age and needs no second step (RULES D9(4)).
_given(act, _) if act.action == "parental_consent"

_given(act, asked) if {
	act.action == "opt_in"
	of_age(act, asked)
	_told(act, asked)
	_twice(act, asked)
}

_told(_, asked) if not asked.informed

_told(act, _) if lib.informed(act)

_lasting(asked) if not asked.stale

_lasting(_) if gdpr.active

_european(_, asked) if not asked.gdpr

_european(i, _) if i in gdpr.consenting

_twice(_, asked) if not asked.confirmed

_twice(_, _) if situation.channel != "email"

_twice(act, _) if act.method in {"double_opt_in", "double_opt_in_email"}

# METADATA
# description: |
#   True when whoever did the act needed no parent for it, or had one. The age at that time counts; a birthday cures
#   nothing.
of_age(act, asked) if act.age >= asked.age

of_age(act, _) if {
	not act.age
	not situation.childlike
}

of_age(_, asked) if _authorised(asked)

# A later refusal ends what a parent has authorised, and so does time (RULES D9(4), D9(7)).
_authorised(asked) if {
	_lasting(asked)
	some act in sound
	act.action == "parental_consent"
	every refusal in engine.reaching {
		act.rank > input.acts[refusal].rank
	}
}

# METADATA
# description: The places in which the person is too young to be asked alone, and no parent has consented.
unattended contains place if {
	situation.ordinary
	some place, asked in measure
	asked.age in situation.younger_than
	not _authorised(asked)
}

# METADATA
# description: What a child needs a parent for where no law says more (RULES D10(10)).
about_children if situation.family

about_children if situation.purpose in {"personalization", "profiling", "targeted_ads", "sale_share", "sensitive_use"}

# METADATA
# description: The permissions on file, enough or not, by position.
offered contains i if {
	some i, act in input.acts
	act.action in {"opt_in", "parental_consent"}
	not act.future
}

# METADATA
# title: Consent goes stale
# description: A promised end is honoured too.
# scope: rule
# custom:
#   id: ENG-STALE-01
#   citation: EDPB Guidelines 05/2020 paras 110-111; GDPR Art. 5(1)(c),(e)
#   stage: 10
#   confidence: P/G
failing contains {"rule": "ENG-STALE-01", "stage": 10} if {
	situation.ordinary
	some i in offered
	_covers(input.acts[i])
	_outlived(input.acts[i])
}

_outlived(act) if act.expired == true

_outlived(_) if {
	some asked in measure
	not _lasting(asked)
}

# METADATA
# title: It is not certain that this reaches the person
# scope: rule
# custom:
#   id: ENG-ID-01
#   citation: GDPR Art. 5(1)(d),(f), 7(1); 47 CFR 64.1200(m) (reassigned numbers database)
#   stage: 10
#   confidence: K
failing contains {"rule": "ENG-ID-01", "stage": 10} if {
	situation.ordinary
	some i in offered
	"other" in {object.get(input.acts[i], field, "") | some field in ["address", "person"]}
}
