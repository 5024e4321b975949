# METADATA
# title: Austria
# description: The Telecommunications Act 2021 (TKG). The list under s.7 ECG is a register like others.
# related_resources:
# - https://www.ris.bka.gv.at/GeltendeFassung.wxe?Abfrage=Bundesnormen&Gesetzesnummer=20011678
package volens.austria

import data.volens.situation

# METADATA
# title: Calls, fax, mail and texts need consent, to people and businesses
# scope: rule
# custom:
#   id: AT-TKG-01
#   citation: TKG 2021 s.174; ECG s.7
#   stage: 10
#   confidence: K
gate contains {"rule": "AT-TKG-01", "stage": 10} if {
	situation.family
	situation.channel in {"phone", "phone_auto", "fax", "email", "sms"}
}
