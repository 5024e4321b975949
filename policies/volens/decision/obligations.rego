package volens.decision

import data.volens.canada
import data.volens.ccpa
import data.volens.engine
import data.volens.gdpr
import data.volens.mailbox
import data.volens.situation
import data.volens.spain
import data.volens.uk
import data.volens.us_federal

# METADATA
# title: Obligations
# description: What a permit asks of whoever uses it, and what a denial does (RULES D6). The union over the laws.
# scope: document
obligations contains "log_decision" if permitted

obligations contains duty if {
	permitted
	_written_to
	some duty in ["unsubscribe_link", "identify_sender"]
}

obligations contains "postal_address" if {
	permitted
	_written_to
	_address_due
}

obligations contains duty if {
	permitted
	situation.channel == "email"
	_canadian_perhaps
	canada.transactional
	some duty in ["unsubscribe_link", "identify_sender", "postal_address"]
}

_address_due if situation.american

_address_due if _canadian_perhaps

_canadian_perhaps if situation.under.canada

_canadian_perhaps if situation.under.unknown

_written_to if {
	situation.channel == "email"
	_solicits
}

_solicits if situation.family

_solicits if situation.purpose == "sensitive_use"

obligations contains "one_click_header" if {
	permitted
	_unsubscribed_by_a_click
}

_unsubscribed_by_a_click if mailbox.bulk

_unsubscribed_by_a_click if {
	situation.under.unknown
	_written_to
}

obligations contains duty if {
	permitted
	situation.channel == "sms"
	_can_be_stopped
	some duty in ["stop_instructions", "identify_sender"]
}

_can_be_stopped if situation.family

_can_be_stopped if {
	_american_perhaps
	situation.service
}

_american_perhaps if situation.american

_american_perhaps if situation.under.unknown

obligations contains "identify_sender" if {
	permitted
	situation.family
	situation.channel in {"push", "messaging_app", "social_dm"}
}

obligations contains "include_optout_each_message" if {
	permitted
	"soft_opt_in" in _relied_on
	not _calls
}

obligations contains duty if {
	permitted
	_calls
	some duty in ["caller_id", "identify_sender"]
}

_calls if situation.channel in {"phone", "phone_auto"}

obligations contains "display_prefix_number" if {
	permitted
	_calls
	situation.under.spain
	spain.prefix_due
}

obligations contains "record_keeping_5y" if {
	permitted
	_calls
	basis_of.DE == "consent"
}

obligations contains "dnc_scrub" if {
	permitted
	_calls
	situation.family
	_uncalled_for
}

_uncalled_for if {
	some place, basis in basis_of
	basis in {"legitimate_interest", "none"}
}

obligations contains "inform_right_to_object" if {
	permitted
	some regime in ["gdpr", "switzerland", "brazil"]
	some place in situation.under[regime]
	basis_of[place] == "legitimate_interest"
}

obligations contains "inform_right_to_object" if {
	permitted
	_calls
	some regime in ["gdpr", "switzerland"]
	some place in situation.under[regime]
	basis_of[place] != "consent"
}

obligations contains "no_promotional_content" if {
	permitted
	not situation.ordinary
}

obligations contains "no_promotional_content" if {
	permitted
	situation.under.uk
	uk.research
}

obligations contains "single_confirmation_only" if {
	permitted
	situation.purpose in {"doi_confirmation", "optout_confirmation"}
}

obligations contains duty if {
	permitted
	situation.purpose == "adm"
	_explained
	some duty in ["adm_notice", "human_review_available"]
}

_explained if count(situation.judged - {"US-CA"}) > 0

_explained if ccpa.adm_in_force

obligations contains "transfer_safeguard" if {
	permitted
	situation.under.gdpr
	gdpr.safeguarded_transfer
}

obligations contains "minimal_suppression_entry" if {
	permitted
	_erased_before
}

_erased_before if input.flags.previously_erased == true

_erased_before if engine.erasure_on_file

obligations contains "inform_child_withdrawal_right" if {
	permitted
	some place in situation.under.gdpr
	basis_of[place] == "consent"
	gdpr.on_parental_consent
}

obligations contains "parental_verification" if {
	permitted
	situation.american
	us_federal.on_parental_consent
}

obligations contains "profiling_off" if {
	permitted
	engine.profiling_refused
}

obligations contains "two_step_opt_in" if {
	permitted
	situation.under.ccpa
	ccpa.two_steps_due
}

obligations contains "limit_to_7027m" if {
	permitted
	ccpa.limited_to_need
}

obligations contains "retry_after" if closed_hours

obligations contains "confirm_opt_out_status" if {
	not permitted
	situation.under.ccpa
	ccpa.confirm_status
}

obligations contains "no_tracking_pixel" if {
	not permitted
	situation.purpose == "email_tracking"
}

_relied_on := {basis | some basis in basis_of}
