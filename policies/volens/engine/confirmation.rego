package volens.engine

import data.volens.situation

# METADATA
# description: The one confirmation has been sent. Nothing known is none.
confirmed_already if {
	situation.channel == "sms"
	input.context.prior_confirmation_texts > 0
}

confirmed_already if {
	situation.channel != "sms"
	input.context.prior_confirmation_mails > 0
}

# METADATA
# description: There is a refusal to confirm, and it hasn't been confirmed (RULES D9(17)).
confirmable if {
	_refused
	not confirmed_already
}

_refused if {
	some act in input.acts
	act.action in (_refusals | {"opt_out_sale", "limit", "gpc"})
	not act.future
}

_refused if input.flags.objected == true

_refused if input.flags.suppressed == true
