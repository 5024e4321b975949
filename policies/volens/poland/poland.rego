# METADATA
# title: Poland
# description: The Electronic Communications Law (PKE). It knows no soft opt-in.
# related_resources:
# - https://isap.sejm.gov.pl/isap.nsf/DocDetails.xsp?id=WDU20240001221
package volens.poland

import data.volens.situation

# METADATA
# title: Calls, mail and texts need consent
# scope: rule
# custom:
#   id: PL-PKE-01
#   citation: Prawo komunikacji elektronicznej Art. 398
#   stage: 10
#   confidence: K
#   in_force: "2024-11-10"
gate contains {"rule": "PL-PKE-01", "stage": 10} if {
	"PL-PKE-01" in situation.begun
	situation.family
	situation.channel in {"phone", "phone_auto", "email", "sms"}
}
