package volens.germany

import data.volens.eprivacy
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: A consent that nobody uses lapses
# description: |
#   The Federal Court knows no lapse of time; lower courts do. It counts from the latest of the act, the last
#   interaction and the last message.
# scope: rule
# custom:
#   id: DE-STL-01
#   citation: BGH 1.2.2018 III ZR 196/17; AG Muenchen 14.2.2023 161 C 12736/22; AG Bonn 10.5.2016 104 C 227/15
#   stage: 10
#   confidence: V, D
flaw contains {"act": i, "rule": "DE-STL-01", "stage": 10} if {
	some i, act in gdpr.permission
	not used(act)
}

note contains {"rule": "DE-STL-01", "stage": 10} if {
	situation.ordinary
	count(gdpr.consenting) > 0
}

note contains {"rule": "DE-STL-01", "stage": 10} if eprivacy.basis_in.DE

failing contains {"rule": "DE-STL-01", "stage": 10} if {
	some act in input.acts
	act.action in {"purchase", "free_account"}
	act.optout_offered_at_collection == true
	not used(act)
}

# METADATA
# description: True when the act, or what came of it, is recent enough.
used(act) if act.months_past < data.volens.periods.stale.DE

used(_) if input.subject.interaction.months_past < data.volens.periods.stale.DE

used(_) if input.subject.sent.months_past < data.volens.periods.stale.DE
