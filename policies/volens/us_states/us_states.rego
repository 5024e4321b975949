# METADATA
# title: The American states
# description: |
#   Privacy, telephone and health laws of the states but California, each for its own place. The generic pack judges
#   where no privacy law is listed, and the strictest of all where the state is unknown.
package volens.us_states

import data.volens.situation
import data.volens.us_federal

# METADATA
# title: What is special about the law of each place
# description: Nothing before its first day, nor where there is none.
# scope: document
law[place] := special if {
	some place in situation.under.us_states
	special := data.volens.states.laws[place]
	input.clock.law_day >= special.since
}

# METADATA
# description: Personal data go to somebody for their own ends, which is what is asked about.
sells if situation.purpose in {"sale_share", "targeted_ads"}

# Uses of someone's data that no opt-out regime forbids.
_free := {"sale_share", "targeted_ads", "personalization", "profiling", "analytics", "email_tracking", "adm"}

basis contains "none" if situation.purpose in _free

basis contains "consent" if {
	situation.purpose in (_free | {"fip_enrolment"})
	count(agreeing) > 0
}

# METADATA
# title: Opt-ins to what is asked
# description: |
#   Those that still stand. A sale has some of its own; whoever needed a parent's consent for it has not given any.
# scope: document
agreeing contains i if {
	some i in _agreed
	not us_federal.withdrawn(input.acts[i])
}

_agreed contains i if some i in us_federal.consented

_agreed contains i if {
	sells
	some i in us_federal.sale_opt_ins
	us_federal.old_enough(input.acts[i])
}
