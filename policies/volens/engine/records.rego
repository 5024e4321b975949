# METADATA
# title: Engine rules
# description: How the law's general principles become rules of the machine, whatever the place.
package volens.engine

import data.volens.situation

_opt_ins := {"opt_in", "opt_in_sale", "parental_consent"}

# METADATA
# title: The latest word counts, and a tie is a no
# scope: rule
# custom:
#   id: ENG-CONF-01
#   citation: GDPR Art. 5(1)(d), 5(2), 7(1), 7(3)
#   stage: 4
#   confidence: K
note contains {"rule": "ENG-CONF-01", "stage": 4} if {
	some yes in input.acts
	yes.action in _opt_ins
	some no in input.acts
	no.action in (_refusals | {"declined_opt_in", "opt_out_sale"})
	_contradict(yes, no)
}

_contradict(yes, no) if {
	yes.channel in {no.channel, "any"}
	_same_purpose(yes, no)
}

_contradict(yes, no) if {
	no.channel == "any"
	_same_purpose(yes, no)
}

_same_purpose(yes, no) if _aim(yes) == _aim(no)

_same_purpose(_, no) if _aim(no) == "any"

_same_purpose(yes, no) if {
	yes.action == "opt_in_sale"
	no.action == "opt_out_sale"
}

# METADATA
# title: A global or ambiguous refusal covers every channel, brand and address
# scope: rule
# custom:
#   id: ENG-SCOPE-01
#   citation: GDPR Art. 7(3), 21(2)-(3), 4(11); 47 CFR 64.1200(a)(10)
#   stage: 4
#   confidence: K
note contains {"rule": "ENG-SCOPE-01", "stage": 4} if {
	some i, act in input.acts
	act.action in _refusals
	_beside(i, act)
}

# It reaches further than its own words, or not as far as the question.
_beside(_, act) if global(act)

_beside(i, _) if not i in reaching

_beside(_, act) if act.brand == "other"

_beside(_, act) if act.address == "other"

# METADATA
# title: A permission from the future is none, a refusal from the future counts
# scope: rule
# custom:
#   id: ENG-TIME-01
#   citation: GDPR Art. 5(1)(d), 5(2)
#   stage: 4
#   confidence: P
note contains {"rule": "ENG-TIME-01", "stage": 4} if {
	some act in input.acts
	act.future == true
}

# METADATA
# title: A decision is checked again before each send
# scope: rule
# custom:
#   id: ENG-GRACE-01
#   citation: GDPR Art. 7(3), 25
#   stage: 15
#   confidence: P
note contains {"rule": "ENG-GRACE-01", "stage": 15} if input.context.approved_earlier == true

# METADATA
# title: Refusals move with the person, permissions only where they meet the new law
# scope: rule
# custom:
#   id: ENG-MOVE-01
#   citation: GDPR Art. 3(2), 4(11), 7(1); EDPB Guidelines 3/2018
#   stage: 0
#   confidence: K
note contains {"rule": "ENG-MOVE-01", "stage": 0} if input.places.previous

# METADATA
# title: Every law that can apply must allow
# scope: rule
# custom:
#   id: ENG-MULTI-01
#   citation: GDPR Art. 3(1)-(2); ePrivacy Dir. 2002/58 Art. 3; Cal. Civ. Code 1798.140(i) with 18 CCR 17014 (resident even if temporarily outside the State)
#   stage: 0
#   confidence: K
note contains {"rule": "ENG-MULTI-01", "stage": 0} if situation.abroad

# METADATA
# title: No rule grants permission
# scope: rule
# custom:
#   id: ENG-DENY-01
#   citation: GDPR Art. 5(1)(a), 5(2), 6(1), 24, 25(2)
#   stage: 0
#   confidence: K
deny contains {"rule": "ENG-DENY-01", "stage": 0} if count(situation.unheld) > 0
