# METADATA
# title: The situation
# description: |
#   What the facts amount to before any law is asked: which purpose is judged, how old the person is, whose laws
#   apply. Nothing here permits or denies.
package volens.situation

# METADATA
# description: The channel asked about.
channel := input.question.channel

# METADATA
# description: What messages to someone are for that serve the relation, and not the sender.
service_purposes := {"service", "security", "support"}

# METADATA
# description: Messages that a law obliges the sender to send.
duties := {"legal_notice", "dsr_response"}

_confirmations := {"doi_confirmation", "optout_confirmation"}

_bare := (service_purposes | duties) | _confirmations

# METADATA
# title: Mixed messages
# description: A message that should serve carries promotion. It is judged as marketing (EU-SVC-02, US-CAN-03).
carries_promotion if {
	input.question.purpose in _bare
	_promotional
}

_promotional if input.context.content in {"promotional", "mixed", "other"}

_promotional if {
	input.question.purpose in service_purposes
	input.context.message
}

_promotional if {
	input.question.purpose in service_purposes
	input.context.marketing_related == true
}

# METADATA
# description: The purpose that is judged.
# scope: document
default purpose := "marketing"

purpose := input.question.purpose if not carries_promotion

# METADATA
# description: The purposes of the marketing family (RULES D3).
family_purposes := {"marketing", "partner_marketing", "fundraising", "survey", "reconsent", "political_ads"}

# METADATA
# description: What is judged is of the marketing family.
family if purpose in family_purposes

# METADATA
# description: A message that serves the relation and carries nothing else (stage 6).
service if purpose in service_purposes

# METADATA
# description: A message that must be sent (stage 2).
duty if purpose in duties

# METADATA
# description: What stages 7 to 11 and 14 are about; service, duties and confirmations skip them.
ordinary if not purpose in _bare

# METADATA
# description: A call without a person who calls.
automatic_call if channel == "phone_auto"

automatic_call if {
	channel == "phone"
	input.context.automated == true
}

automatic_call if {
	channel == "phone"
	input.context.ai_voice == true
}

# METADATA
# description: A call by a person.
live_call if {
	channel == "phone"
	not automatic_call
}

# METADATA
# description: Uses of sensitive data that a limit leaves alone (11 CCR 7027(m), RULES D8).
necessary_use if {
	purpose == "sensitive_use"
	input.context.use in {
		"fraud_prevention",
		"security",
		"safety",
		"short_term_transient",
		"service_requested",
		"quality",
	}
}

# METADATA
# description: Personal data go to somebody else, or are used for somebody else's advertising.
discloses if purpose in {"sale_share", "targeted_ads"}

discloses if {
	not duty
	not purpose in _confirmations
	input.context.custom_audience_upload == true
}

discloses if {
	family
	input.context.recipient_given == true
}

# METADATA
# description: Whether data go to somebody else, as a value.
default disclosing := false

disclosing if discloses

# METADATA
# description: The person is addressed as a business.
business if {
	input.subject.b2b == true
	not input.subject.subscriber_type == "individual"
}
