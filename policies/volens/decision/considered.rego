package volens.decision

import data.volens.situation

# METADATA
# title: Considered
# description: |
#   Which laws are asked about a case: each place that has a say with its regimes, whether this policy holds its law,
#   and the basis it permits on. Off the hot path: for explanations, and for those who ask what is covered.
# entrypoint: true
considered := {
	"laws": [law |
		some place in sort(situation.judged)
		law := {
			"place": place,
			"regimes": sort(data.volens.places[place].regimes),
			"held": data.volens.places[place].implemented,
			"basis": object.get(basis_of, place, ""),
		}
	],
	"common": sort(["engine", "mailbox"]),
	"begun": sort(situation.begun),
}
