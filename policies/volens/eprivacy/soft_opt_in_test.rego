package volens.eprivacy_soft_opt_in_test

import data.volens.fixtures_test as f

_mail := f.given(f.germany("email", "marketing"), f.similar)

test_all_conditions_permit if {
	facts := f.after(_mail, [f.purchase({})])
	f.basis(facts) == "soft_opt_in"
	"include_optout_each_message" in f.obliged(facts)
	{"EU-EPD-02", "DE-UWG-01"} - f.named(facts) == set()
	f.verdict(facts).acts == [0]
}

test_each_condition_counts if {
	every change in [
		{"optout_offered_at_collection": false},
		{"seller": "other"},
		{"brand": "other"},
		{"address": "other"},
		{"person": "other"},
		{"purpose": "product_safety"},
		{"future": true},
	] {
		not f.verdict(f.after(_mail, [f.purchase(change)])).allow
	}
	every context in [
		{"similar_product": false},
		{"same_seller": false},
		{"optout_in_message": false},
		{"special_category": "health"},
		{"custom_audience_upload": true},
	] {
		not f.verdict(f.given(f.after(_mail, [f.purchase({})]), context)).allow
	}
	not f.verdict(f.of(f.after(_mail, [f.purchase({})]), {"age": 17})).allow
}

test_what_was_tried_is_named if {
	facts := f.after(f.germany("email", "marketing"), [f.purchase({})])
	"EU-EPD-02" in f.named(facts)
	"EU-EPD-02" in f.named(f.of(f.germany("email", "marketing"), {"is_customer": true}))
}

test_a_free_account_is_a_sale_only_beside_a_paid_one if {
	facts := f.after(_mail, [f.purchase({"action": "free_account", "indirect_remuneration": true})])
	f.basis(facts) == "soft_opt_in"
	not f.verdict(f.after(_mail, [f.purchase({"action": "free_account"})])).allow
}

test_not_by_text_nor_for_donations if {
	every asked in [["sms", "marketing"], ["email", "fundraising"]] {
		not f.verdict(f.given(f.after(f.germany(asked[0], asked[1]), [f.purchase({})]), f.similar)).allow
	}
}

test_union_law_alone_knows_it_too if {
	mail := f.given(f.from_europe("email", "marketing"), f.similar)
	f.basis(f.after(mail, [f.purchase({})])) == "soft_opt_in"
	not f.verdict(f.after(mail, [f.purchase({"months_past": 24})])).allow
}

test_a_register_blocks_it if {
	facts := f.signalled(f.after(_mail, [f.purchase({})]), {"robinson_listed": true})
	f.denied_by(facts, "DSR-NAT-01")
}

test_a_sale_is_named_where_it_opens_no_channel if {
	"EU-EPD-02" in f.named(f.given(f.after(f.germany("sms", "marketing"), [f.purchase({})]), f.similar))
	"DE-STL-01" in f.named(f.given(f.after(f.germany("email", "marketing"), [f.purchase({})]), f.similar))
}
