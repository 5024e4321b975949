package volens.us_federal

import data.volens.lib
import data.volens.situation

# METADATA
# title: Opt-ins to sale
# description: |
#   The acts that allow personal information to be sold, shared or otherwise disclosed, by position, and that no later
#   refusal has withdrawn. What else the law of a state asks of them, of a parent's consent and of minors, is its own
#   matter.
# scope: document
opted_in contains i if {
	some i in sale_opt_ins
	not withdrawn(input.acts[i])
}

# METADATA
# title: Opt-ins to sale that were given
# description: Those that have been withdrawn since included, by position.
# scope: document
sale_opt_ins contains i if {
	some i, act in input.acts
	allows_sale(act)
	_of_this_channel(act)
	not act.evidence == "null"
	lib.names_sender(act)
	intact(act, situation.channel)
	_lasting(act)
}

# METADATA
# description: True for an act that says yes to a sale, or to the disclosure that is asked about.
allows_sale(act) if act.action == "opt_in_sale"

allows_sale(act) if {
	act.action == "opt_in"
	act.purpose in {"sale_share", situation.purpose}
}

# A sale has no channel.
_of_this_channel(act) if act.action == "opt_in_sale"

_of_this_channel(act) if lib.names_channel(act, situation.channel)
