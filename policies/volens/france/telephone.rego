package volens.france

import data.volens.engine
import data.volens.gdpr
import data.volens.situation

_consumer_call if {
	situation.family
	situation.channel in {"phone", "phone_auto"}
	not situation.business
}

_live_consumer_call if {
	_consumer_call
	situation.live_call
}

# METADATA
# title: Calls to consumers need consent or a current contract
# description: Until then they rested on an interest, with Bloctel. Work on the home was out of bounds before already.
# scope: rule
# custom:
#   id: FR-TEL-01
#   citation: C. conso. Art. L.223-1 as amended by Loi 2025-594 Art. 13; implementing decree details not verified
#   stage: 10
#   confidence: V
#   in_force: "2026-08-11"
gate contains {"rule": "FR-TEL-01", "stage": 10} if {
	_live_consumer_call
	"FR-TEL-01" in situation.begun
}

deny contains {"rule": "FR-TEL-01", "stage": 10} if {
	_consumer_call
	input.context.topic in {"energy_renovation", "other"}
	not gdpr.current_contract
}

basis contains "legitimate_interest" if {
	_live_consumer_call
	not "FR-TEL-01" in situation.begun
	gdpr.own_marketing
	gdpr.balanced
}

basis contains "contract" if {
	situation.live_call
	gdpr.own_marketing
	gdpr.current_contract
	not gdpr.sensitive
}

# METADATA
# title: Consumers are called on weekdays, not at lunch, four times in 30 days, and not soon after a refusal
# description: A fresh consent doesn't shorten the 60 days after a refusal. The hours are in the table of windows.
# scope: rule
# custom:
#   id: FR-TEL-02
#   citation: C. conso. Art. D.223-9 (Decret 2022-1313); whether re-issued after 11.8.2026 not verified
#   stage: 14
#   confidence: V
deny contains {"rule": "FR-TEL-02", "stage": 14} if {
	_consumer_call
	input.attempts.d30 >= data.volens.member_states.FR.attempts_in_30_days
}

deny contains {"rule": "FR-TEL-02", "stage": 14} if {
	_consumer_call
	some act in input.acts
	act.action == "refused_in_call"
	act.days60 == true
}

late contains {"rule": "FR-TEL-02", "stage": 14} if {
	engine.hours_bind
	"FR-TEL-02" in engine.closed
}

note contains {"rule": "FR-TEL-02", "stage": 14} if _consumer_call
