package volens.gdpr

import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: A child's consent needs a parent
# description: The age counts when consent is given; a birthday cures nothing. The strictest state involved decides.
# scope: rule
# custom:
#   id: EU-CON-08
#   citation: GDPR Art. 8(1)-(2), Rec. 38, 58; EDPB 05/2020 paras 124-149; UK GDPR Art. 8 (13)
#   stage: 7
#   confidence: V (UK), K
flaw contains {"act": i, "rule": "EU-CON-08", "stage": 7} if {
	some i, act in permission
	act.action == "opt_in"
	not of_age(act, consent_age)
	not authorised
}

# METADATA
# description: True when the person could consent alone, or no service of the information society asked.
of_age(_, _) if input.context.information_society_service == false

of_age(act, age) if act.age >= age

of_age(act, _) if {
	not act.age
	not situation.childlike
}

# METADATA
# description: The age at which someone can consent alone, in the strictest of the states involved.
consent_age := max([age |
	some state in situation.under.gdpr
	age := object.get(data.volens.ages.consent, state, data.volens.ages.consent.other)
])

# METADATA
# description: A parent has authorised what is asked, provably. A later refusal ends that (RULES D9(4)).
authorised if {
	some act in _parents
	lib.proven(act)
	lib.counts(act, situation.channel)
	lib.names_sender(act)
	not lib.steered(act)
	not act.expired
	not act.person
	every i in engine.reaching {
		act.rank > input.acts[i].rank
	}
}

note contains {"rule": "EU-CON-08", "stage": 7} if {
	situation.ordinary
	situation.minor
}

# METADATA
# description: What is permitted rests on a parent's consent.
on_parental_consent if {
	some i in consenting
	input.acts[i].action == "parental_consent"
}

on_parental_consent if {
	some i in consenting
	not of_age(input.acts[i], consent_age)
}
