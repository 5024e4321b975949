package volens.gdpr

import data.volens.engine

# METADATA
# title: Erasure ends marketing and profiling; only a fresh opt-in begins anew
# scope: rule
# custom:
#   id: EU-ERA-03
#   citation: GDPR Art. 17(1), 12(3), 21(3), 5(1)(b)
#   stage: 1
#   confidence: K
deny contains {"rule": "EU-ERA-03", "stage": 1} if {
	engine.erasure_bars
	not _begun_anew
}

_begun_anew if {
	not engine.undated_erasure
	_latest_opening > max(engine.erasures)
}

# METADATA
# title: The suppression list is respected
# scope: rule
# custom:
#   id: EU-SUP-01
#   citation: GDPR Art. 21(3), 17(3)(b), 5(1)(c), 5(2), 6(1)(c)/(f); CNIL & ICO guidance
#   stage: 1
#   confidence: V (CNIL 3 y), K
deny contains {"rule": "EU-SUP-01", "stage": 1} if {
	engine.suppressed
	not _admitted_again
}

note contains {"rule": "EU-SUP-01", "stage": 1} if input.flags.suppressed == true

_admitted_again if _latest_opening > input.flags.suppressed_rank
