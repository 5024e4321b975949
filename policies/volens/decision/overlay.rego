package volens.decision

import data.volens.situation

# METADATA
# title: The overlay
# description: |
#   What a tenant asks beyond the law. It is read only where the law permits, so that nothing in it can loosen
#   anything (DESIGN section 9). Its hours are a window more (engine), its early days are in situation.
_restrained contains reason if {
	_permitted_by_law
	some reason in _own_policy
}

# METADATA
# title: The tenant's own policy is stricter
# scope: rule
# custom:
#   id: ENG-OWN-01
#   citation: The tenant's overlay
#   stage: 15
#   confidence: P
_own_policy contains {"rule": "ENG-OWN-01", "stage": 15} if {
	some refused in input.overlay.denied
	_refuses(refused)
}

_refuses(refused) if {
	object.get(refused, "channel", situation.channel) == situation.channel
	object.get(refused, "purpose", situation.purpose) in {situation.purpose, input.question.purpose}
}

_own_policy contains {"rule": "ENG-OWN-01", "stage": 15} if {
	situation.ordinary
	some place, found in basis_of
	found in input.overlay.refused_bases
}

_own_policy contains {"rule": "ENG-OWN-01", "stage": 15} if {
	situation.ordinary
	input.overlay.stale_months
	count(_relied) > 0
	not _fresh_for_the_tenant
}

_fresh_for_the_tenant if {
	some i in _relied
	input.acts[i].months_past < input.overlay.stale_months
}

_fresh_for_the_tenant if input.subject.interaction.months_past < input.overlay.stale_months

_own_policy contains {"rule": "ENG-OWN-01", "stage": 15} if {
	input.overlay.double_opt_in == true
	situation.ordinary
	situation.channel == "email"
	"consent" in _relied_on
	not _confirmed_twice
}

_confirmed_twice if {
	some i in _relied
	input.acts[i].method in {"double_opt_in", "double_opt_in_email"}
}

_own_policy contains {"rule": "ENG-OWN-01", "stage": 15} if {
	situation.family
	some span, most in input.overlay.attempts
	input.attempts[span] >= most
}

# METADATA
# description: The acts that the bases of the laws rest on, by position.
_relied contains i if {
	some place, found in basis_of
	some said in _of_place[place]
	some i in said.relied[found]
}
