package volens.gdpr

import data.volens.engine

# METADATA
# title: Data leave the Union on adequacy or safeguards
# description: Consent under Art. 49 is for single cases, not for mailings.
# scope: rule
# custom:
#   id: EU-TRF-01
#   citation: GDPR Art. 44-49; Dec. (EU) 2023/1795 (DPF; upheld T-553/23, appeal C-703/25 P pending); C-311/18; EDPB 2/2018
#   stage: 12
#   confidence: V (T-553/23 + appeal), K
deny contains {"rule": "EU-TRF-01", "stage": 12} if unsafe_transfer

# METADATA
# description: The route leaves the Union on nothing that the law accepts.
unsafe_transfer if {
	_leaves
	not engine.untouchable
	not _adequate
	not safeguarded_transfer
}

note contains {"rule": "EU-TRF-01", "stage": 12} if _leaves

_leaves if {
	input.context.processor_country
	not input.context.processor_country in data.volens.adequacy.eea
}

_adequate if input.context.processor_country in data.volens.adequacy.adequate

_adequate if data.volens.adequacy.certified[input.context.processor_country] == input.context.transfer_mechanism

# METADATA
# description: The route rests on Art. 46, standard clauses with an assessment.
safeguarded_transfer if {
	_leaves
	not _adequate
	input.context.transfer_mechanism in data.volens.adequacy.safeguards
}
