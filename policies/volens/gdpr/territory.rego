# METADATA
# title: GDPR
# description: Regulation (EU) 2016/679, with the acts of the Union that stand beside it.
# related_resources:
# - https://eur-lex.europa.eu/eli/reg/2016/679/oj
package volens.gdpr

import data.volens.situation

# METADATA
# title: The GDPR follows people in the Union and controllers established there
# scope: rule
# custom:
#   id: EU-TER-01
#   citation: GDPR Art. 3(1)-(2), Rec. 23-24; EDPB 3/2018
#   stage: 0
#   confidence: K
territory contains {"rule": "EU-TER-01", "stage": 0} if {
	situation.abroad
	_touches_the_union
}

_touches_the_union if situation.under.gdpr

_touches_the_union if situation.only_travelling
