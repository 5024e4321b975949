package volens.gdpr

import data.volens.lib
import data.volens.situation

# METADATA
# title: Consent goes stale
# description: Where the state has no rule of its own.
# scope: rule
# custom:
#   id: ENG-STALE-01
#   citation: EDPB Guidelines 05/2020 paras 110-111; GDPR Art. 5(1)(c),(e)
#   stage: 10
#   confidence: P/G
flaw contains {"act": i, "rule": "ENG-STALE-01", "stage": 10} if {
	_without_a_rule_of_its_own
	some i, _ in permission
	not active
}

failing contains {"rule": "ENG-STALE-01", "stage": 10} if {
	_without_a_rule_of_its_own
	situation.family
	some act in input.acts
	act.optout_offered_at_collection == true
	not active
}

_without_a_rule_of_its_own if {
	some state in situation.under.gdpr
	not data.volens.periods.stale[state]
}

# METADATA
# description: The person has shown interest within the period (RULES D9(7)).
active if active_within(data.volens.periods.stale.other)

# METADATA
# description: True when the person has shown interest within so many months.
active_within(months) if input.subject.interaction.months_past < months

active_within(months) if {
	some act in input.acts
	shows_interest(act)
	act.months_past < months
}

# METADATA
# description: True for an act by which the person turned to the sender.
shows_interest(act) if {
	not act.future
	_positive(act)
}

_positive(act) if act.action in {"purchase", "support_given", "inquiry", "free_account"}

_positive(act) if {
	act.action in {"opt_in", "parental_consent"}
	lib.counts(act, act.channel)
	not lib.steered(act)
}
