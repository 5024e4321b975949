package volens.switzerland_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "CH"})

_mail := _asked("email", "marketing")

_call := _asked("phone", "marketing")

_agreed(channel, purpose) := f.opt_in({"channel": channel, "purpose": purpose, "method": "act"})

test_what_is_sent_in_masses_needs_consent if {
	every channel in ["email", "sms", "messaging_app", "social_dm", "fax", "push", "phone_auto"] {
		facts := f.of(_asked(channel, "marketing"), {"b2b": true, "subscriber_type": "corporate"})
		f.denied_by(f.given(facts, {"lia_on_file": true}), "CH-UCA-01")
		agreed := f.after(facts, [_agreed(channel, "marketing")])
		f.basis(agreed) == "consent"
		"CH-UCA-01" in f.named(agreed)
	}
	f.denied_by(f.given(_call, {"automated": true}), "CH-UCA-01")
}

test_a_consent_is_informed_proven_and_explicit_about_sensitive_data if {
	every change in [{"evidence": "null"}, {"notice": {"version": false}}, {"channel": "any"}, {"purpose": "survey"}] {
		f.denied_by(f.after(_mail, [object.union(_agreed("email", "marketing"), change)]), "CH-UCA-01")
	}
	health := f.given(_mail, {"special_category": "health"})
	f.denied_by(f.after(health, [_agreed("email", "marketing")]), "CH-UCA-01")
	explicit := {"explicit": true, "covers_category": true}
	f.basis(f.after(health, [object.union(_agreed("email", "marketing"), explicit)])) == "consent"
}

test_own_customers_by_mail_after_a_sale if {
	sold := f.after(f.given(_mail, f.similar), [f.purchase({})])
	f.basis(sold) == "soft_opt_in"
	f.verdict(sold).acts == [0]
	every change in [
		{"action": "inquiry"},
		{"action": "free_account", "indirect_remuneration": true},
		{"optout_offered_at_collection": false},
		{"seller": "other"},
		{"person": "other"},
		{"future": true},
	] {
		f.denied_by(f.after(f.given(_mail, f.similar), [f.purchase(change)]), "CH-UCA-01")
	}
	f.denied_by(f.after(f.given(_asked("sms", "marketing"), f.similar), [f.purchase({})]), "CH-UCA-01")
	f.denied_by(f.given(sold, {"similar_product": false}), "CH-UCA-01")
	f.denied_by(f.after(f.given(_mail, f.similar), [f.purchase({"months_past": 24})]), "ENG-STALE-01")
}

test_the_right_sender_and_a_way_out if {
	mail := f.after(_mail, [_agreed("email", "marketing")])
	f.denied_by(f.given(mail, {"sender_identified": false}), "CH-UCA-01")
	f.denied_by(f.given(mail, {"optout_in_message": false}), "CH-UCA-01")
	f.denied_by(f.given(_call, {"sender_identified": false}), "CH-UCA-02")
}

test_calls_are_free_without_an_asterisk if {
	f.basis(_call) == "none"
	{"CH-UCA-02", "CH-FADP-01"} - f.named(_call) == set()
	{"caller_id", "dnc_scrub", "inform_right_to_object"} - f.obliged(_call) == set()
	f.basis(f.after(_call, [_agreed("phone", "marketing")])) == "consent"
}

test_an_asterisk_leaves_business_relations_alone if {
	facts := f.signalled(_call, {"asterisk": true})
	f.denied_by(facts, "CH-UCA-02")
	f.basis(f.of(facts, {"is_customer": true})) == "none"
	sold := f.after(facts, [f.purchase({})])
	f.basis(sold) == "none"
	f.verdict(sold).acts == [0]
}

test_a_listing_on_record_binds_them_too if {
	facts := f.after(_call, [{"action": "dnc_listed", "channel": "phone", "purpose": "marketing", "rank": 2}])
	f.denied_by(facts, "CH-UCA-02")
	f.denied_by(f.of(facts, {"is_customer": true}), "DSR-NAT-01")
}

test_special_categories_take_consent_on_every_channel if {
	every channel in ["post", "phone", "web", "in_app", "ads"] {
		health := f.given(_asked(channel, "marketing"), {"special_category": "health"})
		f.denied_by(health, "ENG-DENY-01")
		explicit := object.union(_agreed(channel, "marketing"), {"explicit": true, "covers_category": true})
		f.basis(f.after(health, [explicit])) == "consent"
	}
	f.denied_by(f.given(_asked("web", "personalization"), {"sensitive": "health"}), "ENG-DENY-01")
}

test_only_a_later_opt_in_beats_the_listing if {
	record := {"action": "dnc_listed", "channel": "phone", "purpose": "marketing", "rank": 2}
	f.denied_by(f.signalled(f.after(_call, [_agreed("phone", "marketing")]), {"asterisk": true}), "CH-UCA-02")
	f.basis(f.after(_call, [record, _agreed("phone", "marketing")])) == "consent"
	f.denied_by(f.after(_call, [object.union(record, {"rank": 6}), _agreed("phone", "marketing")]), "CH-UCA-02")
}

test_what_asks_for_no_basis if {
	every channel in ["post", "in_app", "web", "ads"] {
		f.basis(_asked(channel, "marketing")) == "none"
	}
	every purpose in [
		"personalization",
		"profiling",
		"adm",
		"analytics",
		"email_tracking",
		"targeted_ads",
		"sale_share",
		"fip_enrolment",
	] {
		f.basis(_asked("web", purpose)) == "none"
		f.basis(f.after(_asked("web", purpose), [_agreed("web", purpose)])) == "consent"
	}
	f.denied_by(_asked("web", "sensitive_use"), "ENG-DENY-01")
}

test_an_express_word_ends_it if {
	objected := f.opt_out({"action": "object", "channel": "any"})
	every asked in [["post", "marketing"], ["web", "personalization"], ["phone", "marketing"]] {
		f.denied_by(f.after(_asked(asked[0], asked[1]), [objected]), "CH-FADP-01")
	}
	f.denied_by(f.flagged(f.after(_mail, [_agreed("email", "marketing")]), {"objected": true}), "CH-FADP-01")
	f.denied_by(f.flagged(_mail, {"erased": true}), "CH-FADP-01")
	silenced := f.after(_asked("email", "service"), [f.opt_out({"purpose": "any"})])
	f.denied_by(silenced, "ENG-OPT-01")
	not "CH-FADP-01" in f.named(silenced)
	f.basis(f.after(_mail, [objected, object.union(_agreed("email", "marketing"), {"rank": 8})])) == "consent"
}

test_children_need_a_parent if {
	every asked in [["post", "marketing"], ["in_app", "profiling"], ["web", "targeted_ads"], ["phone", "marketing"]] {
		child := f.of(_asked(asked[0], asked[1]), {"age": 12})
		f.denied_by(child, "ENG-DENY-01")
		f.basis(f.after(child, [f.parental_consent({})])) == "consent"
		f.basis(f.of(child, {"age": 13})) == "none"
	}
	f.basis(f.of(_asked("web", "analytics"), {"age": 12})) == "none"
}

test_a_sender_in_the_union_brings_its_law if {
	mail := f.placed(_mail, {"sender": "DE"})
	agreed := f.after(mail, [_agreed("email", "marketing")])
	f.basis(agreed) == "consent"
	{"CH-UCA-01", "EU-EPD-01"} - f.named(agreed) == set()
	f.denied_by(f.placed(_asked("in_app", "personalization"), {"sender": "FR"}), "EU-PRO-01")
}
