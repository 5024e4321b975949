package volens.canada

import data.volens.elsewhere
import data.volens.situation

# Machines may decide alone (RULES D9(18)).
basis contains "none" if situation.purpose == "adm"

# METADATA
# title: No rule grants permission
# description: Children below thirteen need a parent for marketing and profiling (RULES D10(10)).
# scope: rule
# custom:
#   id: ENG-DENY-01
#   citation: GDPR Art. 5(1)(a), 5(2), 6(1), 24, 25(2)
#   stage: 7
#   confidence: K
deny contains {"rule": "ENG-DENY-01", "stage": 7} if {
	elsewhere.about_children
	"CA" in elsewhere.unattended
}
