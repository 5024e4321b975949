package volens.gdpr

import data.volens.situation

# METADATA
# title: Direct marketing may be a legitimate interest
# description: By post and on the sender's own surfaces, of adults, without sensitive data, the balancing test on file.
# scope: rule
# custom:
#   id: EU-LI-01
#   citation: GDPR Art. 6(1)(f), Rec. 47; CJEU C-621/22 KNLTB; EDPB Guidelines 1/2024 (consultation version)
#   stage: 10
#   confidence: K
gate contains {"rule": "EU-LI-01", "stage": 10} if {
	situation.family
	situation.channel in {"post", "in_app", "web"}
}

basis contains "legitimate_interest" if {
	_own_purpose
	own_surface
	balanced
}

# METADATA
# description: Marketing for the sender itself. Partners and politics need an opt-in that names them (RULES D9(3)).
own_marketing if {
	_own_purpose
	not situation.discloses
}

_own_purpose if situation.purpose in {"marketing", "fundraising", "survey", "reconsent"}

# METADATA
# description: A letter, or a place that the sender runs itself.
own_surface if situation.channel == "post"

own_surface if {
	situation.channel in {"in_app", "web"}
	_first_party
}

_first_party if {
	not input.context.first_party_only == false
	not situation.discloses
}

# METADATA
# description: The whole balancing test was passed and recorded, of an adult, without sensitive data (RULES D4, D8, D10(14)).
balanced if {
	input.context.lia_on_file == true
	not input.context.custom_audience_upload == true
	not situation.minor
	not sensitive
}

# METADATA
# title: Legitimate interest cannot replace consent to electronic mail
# scope: rule
# custom:
#   id: EU-LI-02
#   citation: ePrivacy Dir. Art. 13(1); GDPR Art. 95; C-654/23
#   stage: 10
#   confidence: V
failing contains {"rule": "EU-LI-02", "stage": 10} if {
	situation.european
	situation.family
	_stored_or_automatic
	_claims_interest
}

_stored_or_automatic if situation.channel in {"email", "sms", "messaging_app", "social_dm", "fax"}

_stored_or_automatic if situation.automatic_call

_claims_interest if {
	input.context.basis_claimed in {"legitimate_interest", "recognised_legitimate_interest", "other"}
}

_claims_interest if input.context.lia_on_file == true
