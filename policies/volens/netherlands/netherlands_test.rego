package volens.netherlands_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "NL"})

_call := _asked("phone", "marketing")

_customer := f.given(f.on(f.after(_call, [f.purchase({})]), "2026-06-19"), f.similar)

_gift := f.purchase({"action": "support_given", "purpose": "donation"})

_appeal := f.given(
	f.after(_asked("phone", "fundraising"), [_gift]),
	object.union(f.similar, {"sender_is_charity": true}),
)

test_people_are_called_on_consent if {
	f.denied_by(f.given(_call, {"lia_on_file": true}), "NL-TEL-01")
	facts := f.after(_call, [f.opt_in({"channel": "phone"})])
	f.basis(facts) == "consent"
	"NL-TEL-01" in f.named(facts)
}

test_customers_could_be_called_until_july if {
	f.basis(_customer) == "soft_opt_in"
	f.verdict(_customer).acts == [0]
	"inform_right_to_object" in f.obliged(_customer)
	not "include_optout_each_message" in f.obliged(_customer)
	f.denied_by(f.on(_customer, "2026-07-01"), "NL-TEL-01")
	f.denied_by(f.given(_customer, {"similar_product": false}), "NL-TEL-01")
	f.denied_by(f.after(_customer, [f.purchase({"optout_offered_at_collection": false})]), "NL-TEL-01")
	f.denied_by(f.after(_customer, [f.purchase({"months_past": 24})]), "NL-TEL-01")
}

test_charities_may_still_call_those_who_gave if {
	f.basis(_appeal) == "soft_opt_in"
	f.basis(f.after(_appeal, [f.purchase({})])) == "soft_opt_in"
	f.denied_by(f.given(_appeal, {"sender_is_charity": false}), "NL-TEL-01")
	f.denied_by(f.given(_appeal, {"ai_voice": true}), "EU-EPD-01")
}

test_companies_are_called_on_an_interest if {
	facts := f.given(f.of(_call, {"b2b": true, "subscriber_type": "corporate"}), {"lia_on_file": true})
	f.basis(facts) == "legitimate_interest"
	f.denied_by(f.of(facts, {"subscriber_type": "individual"}), "NL-TEL-01")
	f.denied_by(f.given(facts, {"lia_on_file": false}), "EU-EPD-04")
	f.denied_by(f.of(_asked("email", "marketing"), {"b2b": true}), "EU-EPD-05")
}
