package volens.germany

import data.volens.gdpr
import data.volens.situation

# METADATA
# title: The address is confirmed by a second step
# description: Without it a consent cannot be attributed to whoever holds the address. By mail it proves no number.
# scope: rule
# custom:
#   id: DE-DOI-01
#   citation: BGH 10.2.2011 I ZR 164/09; UWG s.7(2); GDPR Art. 7(1); contra confirmation mail OLG Muenchen 27.9.2012 29 U 1682/12
#   stage: 10
#   confidence: K/D
flaw contains {"act": i, "rule": "DE-DOI-01", "stage": 10} if {
	situation.channel == "email"
	some i, act in gdpr.permission
	act.action == "opt_in"
	not _twice(act)
}

_twice(act) if act.method in {"double_opt_in", "double_opt_in_email"}

flaw contains {"act": i, "rule": "DE-DOI-01", "stage": 10} if {
	situation.channel in {"phone", "phone_auto", "sms"}
	some i, act in gdpr.permission
	act.method == "double_opt_in_email"
}

failing contains {"rule": "DE-DOI-01", "stage": 10} if {
	situation.ordinary
	situation.channel == "email"
	some act in input.acts
	act.action == "opt_in_pending"
}

note contains {"rule": "DE-DOI-01", "stage": 10} if {
	situation.ordinary
	situation.channel == "email"
	count(gdpr.consenting) > 0
}
