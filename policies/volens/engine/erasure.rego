package volens.engine

import data.volens.situation

_erasing := {"erase_request", "erased"}

# METADATA
# description: The ranks of requests to erase, and of erasures.
erasures contains act.rank if {
	some act in input.acts
	act.action in _erasing
}

_executed contains act.rank if {
	some act in input.acts
	act.action == "erased"
}

# METADATA
# description: An erasure has been asked for or done, or a flag says so. A flag has no date, so nothing comes after it.
erasure_on_file if count(erasures) > 0

erasure_on_file if undated_erasure

# METADATA
# description: A flag says that data are or will be erased.
undated_erasure if input.flags.erased == true

undated_erasure if input.flags.erasure_pending == true

# METADATA
# title: Erasure ends marketing and profiling; only a fresh opt-in begins anew
# scope: rule
# custom:
#   id: EU-ERA-03
#   citation: GDPR Art. 17(1), 12(3), 21(3), 5(1)(b)
#   stage: 1
#   confidence: K
note contains {"rule": "EU-ERA-03", "stage": 1} if erasure_on_file

note contains {"rule": "EU-ERA-03", "stage": 1} if input.flags.previously_erased == true

# METADATA
# title: A refusal is overcome by a fresh and complete consent alone
# description: So is an erasure, in every place (RULES D8).
# scope: rule
# custom:
#   id: EU-CON-12
#   citation: GDPR Art. 4(11), 7(1), 7(3), 21(3)
#   stage: 1
#   confidence: K
note contains {"rule": "EU-CON-12", "stage": 1} if {
	some act in input.acts
	act.action in _opt_ins
	not act.future
	act.rank > max(erasures)
}

# METADATA
# description: What stages 1 and 3 leave alone.
untouchable if situation.duty

untouchable if situation.purpose == "optout_confirmation"

# METADATA
# title: What is still needed may be kept
# scope: rule
# custom:
#   id: EU-ERA-02
#   citation: GDPR Art. 17(3)(a)-(e)
#   stage: 1
#   confidence: K
note contains {"rule": "EU-ERA-02", "stage": 1} if {
	erasure_on_file
	ordered_still
}

# METADATA
# description: An order is open, or came after the erasure. That opens the service path and no more (RULES D8, D10(3)).
ordered_still if {
	situation.service
	input.context.open_order == true
}

ordered_still if {
	situation.service
	ordered_since
}

# METADATA
# description: A purchase is later than every erasure, and none is pending.
ordered_since if {
	some act in input.acts
	act.action == "purchase"
	not act.future
	count(_executed) > 0
	act.rank > max(erasures)
	not input.flags.erasure_pending
}

# METADATA
# description: The hash of a suppression was hit, and no order after an executed erasure excuses a service message.
suppressed if {
	input.flags.suppressed == true
	not untouchable
	not _served_after_erasure
}

_served_after_erasure if {
	_executed_somehow
	ordered_still
}

_executed_somehow if input.flags.erased == true

_executed_somehow if count(_executed) > 0

# METADATA
# description: An erasure bars what is asked unless a fresh opt-in is later.
erasure_bars if {
	erasure_on_file
	not untouchable
	not ordered_still
}
