# METADATA
# title: Ireland
# description: The ePrivacy Regulations 2011.
# related_resources:
# - https://www.irishstatutebook.ie/eli/2011/si/336/made/en/print
package volens.ireland

import data.volens.situation

# METADATA
# title: The soft opt-in lapses after twelve months without use
# description: They count from the later of the sale and the last message.
# scope: rule
# custom:
#   id: IE-SOI-01
#   citation: S.I. 336/2011 reg. 13(11)
#   stage: 10
#   confidence: K
failing contains {"rule": "IE-SOI-01", "stage": 10} if {
	_by_mail_or_text
	some act in input.acts
	act.action in {"purchase", "free_account"}
	not used(act)
}

note contains {"rule": "IE-SOI-01", "stage": 10} if {
	_by_mail_or_text
	some act in input.acts
	act.action in {"purchase", "free_account"}
}

_by_mail_or_text if {
	situation.family
	situation.channel in {"email", "sms"}
}

# METADATA
# description: True when the sale, or what came of it, is recent enough.
used(act) if act.months_past < data.volens.periods.soft_opt_in.IE

used(_) if input.subject.sent.months_past < data.volens.periods.soft_opt_in.IE
