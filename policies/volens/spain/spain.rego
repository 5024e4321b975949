# METADATA
# title: Spain
# description: The acts on telecommunications (LGTel), on services of the information society (LSSI), and on consumers.
# related_resources:
# - https://www.boe.es/buscar/act.php?id=BOE-A-2022-10757
package volens.spain

import data.volens.engine
import data.volens.gdpr
import data.volens.situation

# METADATA
# title: Mail and texts need consent, to people and businesses
# scope: rule
# custom:
#   id: ES-LSSI-01
#   citation: LSSI (Ley 34/2002) Art. 21-22
#   stage: 10
#   confidence: K
gate contains {"rule": "ES-LSSI-01", "stage": 10} if {
	situation.family
	situation.channel in {"email", "sms"}
}

# METADATA
# title: Calls need consent, not older than two years
# description: |
#   The authority also accepts an existing customer and a similar product; the safer reading doesn't. The two years run
#   from the opt-in itself (RULES D9(7)); they were announced with Ley 10/2025.
# scope: rule
# custom:
#   id: ES-TEL-01
#   citation: Ley 11/2022 LGTel Art. 66.1.b; Ley 10/2025 (in force 28.12.2025)
#   stage: 10
#   confidence: V, D
#   in_force: "2025-12-28"
gate contains {"rule": "ES-TEL-01", "stage": 10} if _call

flaw contains {"act": i, "rule": "ES-TEL-01", "stage": 10} if {
	_call
	"ES-TEL-01" in situation.begun
	some i, act in gdpr.permission
	not act.months_past < data.volens.periods.spain
}

_call if {
	situation.family
	situation.channel in {"phone", "phone_auto"}
}

# METADATA
# title: Nobody is called early, late, on weekends or holidays
# description: The hours are in the table of windows.
# scope: rule
# custom:
#   id: ES-TEL-02
#   citation: TRLGDCU (RDL 1/2007) Art. 96.2
#   stage: 14
#   confidence: K
late contains {"rule": "ES-TEL-02", "stage": 14} if {
	engine.hours_bind
	"ES-TEL-02" in engine.closed
}

note contains {"rule": "ES-TEL-02", "stage": 14} if _call

# METADATA
# description: Calls show a number whose prefix tells what they are.
# scope: document
default prefix_due := false

prefix_due if "ES-TEL-01" in situation.begun
