# METADATA
# title: The decision
# description: |
#   May we, for this purpose, on this channel, now? No, unless every law that applies permits it and none objects.
package volens.decision

# METADATA
# title: Verdict
# description: The only document that the service asks for.
# entrypoint: true
verdict := {
	"allow": false,
	"basis": "none",
	"reasons": [{"rule": "ENG-DENY-01", "effect": "deny", "stage": 0}],
	"obligations": [],
	"acts": [],
	"closed_hours": false,
}

# METADATA
# title: Default deny
# description: Nothing permits it.
# scope: rule
# custom:
#   id: ENG-DENY-01
#   citation: GDPR Art. 5(1)(a), 5(2), 6(1), 24, 25(2)
#   stage: 0
#   confidence: K
deny contains {"rule": "ENG-DENY-01", "stage": 0}
