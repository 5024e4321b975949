# METADATA
# title: Quebec
# description: The Act respecting the protection of personal information in the private sector, as amended by Law 25.
package volens.quebec

import data.volens.elsewhere
import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# title: In Quebec children need a parent, and profiling is off until switched on
# scope: rule
# custom:
#   id: CA-QC-01
#   citation: Act P-39.1 (Law 25) s.4.1, 8.1, 12, 12.1, 14, 32
#   stage: 7
#   confidence: K
deny contains {"rule": "CA-QC-01", "stage": 7} if "CA-QC" in elsewhere.unattended

note contains {"rule": "CA-QC-01", "stage": 7} if {
	situation.ordinary
	situation.minor
}

# METADATA
# title: In Quebec children need a parent, and profiling is off until switched on
# description: What identifies, locates or profiles someone is switched on by the person, and not by a sale.
# scope: rule
# custom:
#   id: CA-QC-01
#   citation: Act P-39.1 (Law 25) s.4.1, 8.1, 12, 12.1, 14, 32
#   stage: 10
#   confidence: K
gate contains {"rule": "CA-QC-01", "stage": 10} if {
	situation.purpose in {"personalization", "profiling", "targeted_ads"}
}

deny contains {"rule": "CA-QC-01", "stage": 10} if profiled_unasked

# METADATA
# description: The message rests on profiling that the person didn't switch on.
profiled_unasked if {
	situation.family
	input.context.profiled == true
	not _switched_on
}

deny contains {"rule": "CA-QC-01", "stage": 10} if {
	situation.ordinary
	input.context.sensitive == "precise_geolocation"
	not elsewhere.consenting["CA-QC"]
}

# Whose consent is enough elsewhere in Canada is told why it isn't here.
failing contains {"rule": "CA-QC-01", "stage": 10} if {
	situation.ordinary
	some i, _ in elsewhere.sound
	not elsewhere.consenting["CA-QC"][i]
}

note contains {"rule": "CA-QC-01", "stage": 10} if elsewhere.consenting["CA-QC"]

note contains {"rule": "CA-QC-01", "stage": 10} if situation.purpose == "adm"

_switched_on if {
	some act in input.acts
	act.action == "opt_in"
	act.purpose in {"personalization", "profiling"}
	lib.sound(act, act.channel)
	lib.informed(act)
	elsewhere.of_age(act, data.volens.consents["CA-QC"])
	not _switched_off(act.rank)
}

_switched_off(rank) if {
	some i, refusal in input.acts
	"profiling" in engine.aims[i]
	refusal.rank >= rank
}
