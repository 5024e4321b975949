package volens.gdpr

import data.volens.situation

# METADATA
# description: A decision about the person by machines alone that matters. Unless told otherwise it is one.
significant if {
	situation.purpose == "adm"
	not input.context.solely_automated == false
	not input.context.significant_effect == false
}

_for_the_union if {
	significant
	situation.european
}

# METADATA
# title: Machines decide alone only through a gateway, with safeguards
# scope: rule
# custom:
#   id: EU-ADM-01
#   citation: GDPR Art. 22(1)-(3), Rec. 71; CJEU C-634/21 SCHUFA, C-203/22 Dun & Bradstreet
#   stage: 9
#   confidence: K
gate contains {"rule": "EU-ADM-01", "stage": 9} if _for_the_union

flaw contains {"act": i, "rule": "EU-ADM-01", "stage": 9} if {
	_for_the_union
	some i, act in permission
	not act.explicit == true
}

deny contains {"rule": "EU-ADM-01", "stage": 9} if {
	_for_the_union
	not _safeguarded
}

_safeguarded if {
	every safeguard in {"human_intervention", "representations", "contest", "explanation"} {
		safeguard in input.context.safeguards
	}
}

basis contains "contract" if {
	situation.purpose == "adm"
	input.context.necessary_for_contract == true
	not sensitive
}

# METADATA
# title: Machines don't decide about children, nor by special data without explicit consent
# scope: rule
# custom:
#   id: EU-ADM-02
#   citation: GDPR Art. 22(4), Rec. 71
#   stage: 9
#   confidence: K
deny contains {"rule": "EU-ADM-02", "stage": 9} if {
	_for_the_union
	situation.minor
}

gate contains {"rule": "EU-ADM-02", "stage": 9} if {
	_for_the_union
	special
}
