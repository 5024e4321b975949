package volens.decision_test

import data.volens.fixtures_test as f

test_the_first_denying_stage_comes_first if {
	facts := f.flagged(
		f.after(f.germany("email", "marketing"), [f.opt_out({})]),
		{"merge_unresolved": true, "restricted": true, "suppressed": true},
	)
	stages := [reason.stage | some reason in f.verdict(facts).reasons; reason.effect == "deny"]
	stages == sort(stages)
	f.verdict(facts).reasons[0].rule == "ENG-ID-01"
}

test_a_rule_is_named_once_by_its_weightiest_effect if {
	facts := f.after(f.germany("email", "marketing"), [f.opt_in({"person": "other"}), f.opt_out({})])
	rules := [reason.rule | some reason in f.verdict(facts).reasons]
	count(rules) == count({rule | some rule in rules})
}

test_every_law_must_allow_and_the_strongest_basis_is_reported if {
	both := f.placed(f.germany("email", "marketing"), {"location": "US-CA"})
	f.denied_by(both, "EU-EPD-01")
	agreed := f.after(both, [f.opt_in({"method": "double_opt_in"})])
	f.basis(agreed) == "consent"
	{"postal_address", "unsubscribe_link", "identify_sender"} - f.obliged(agreed) == set()
	{"EU-EPD-01", "US-CAN-02", "DE-UWG-01"} - f.named(agreed) == set()
	wireless := f.given(f.after(both, [f.purchase({})]), object.union(f.similar, {"wireless_domain": true}))
	f.denied_by(wireless, "US-CAN-05")
}

test_nothing_is_permitted_without_a_log if {
	facts := f.germany("email", "service")
	"log_decision" in f.obliged(facts)
	"ENG-AUD-01" in f.named(facts)
	f.obliged(f.germany("email", "marketing")) == set()
}

test_messages_name_the_sender if {
	every channel in ["push", "messaging_app", "social_dm"] {
		facts := f.after(f.germany(channel, "marketing"), [f.opt_in({"channel": channel})])
		"identify_sender" in f.obliged(facts)
	}
	facts := f.after(f.germany("email", "sensitive_use"), [f.opt_in({"purpose": "sensitive_use"})])
	{"unsubscribe_link", "identify_sender"} - f.obliged(facts) == set()
}

test_profiling_is_off_where_it_was_refused if {
	objection := f.opt_out({"action": "object", "channel": "any", "purpose": "profiling"})
	"profiling_off" in f.obliged(f.after(f.germany("email", "marketing"), [f.opt_in({}), objection]))
}

test_the_shape_never_varies if {
	every facts in [
		f.germany("email", "marketing"),
		f.germany("email", "service"),
		f.placed(f.germany("fax", "adm"), {"residence": "ZZ"}),
	] {
		object.keys(f.verdict(facts)) == {"allow", "basis", "reasons", "obligations", "acts", "closed_hours"}
	}
}

test_a_call_without_consent_reminds_of_the_right_to_object if {
	"inform_right_to_object" in f.obliged(f.germany("phone", "service"))
	not "inform_right_to_object" in f.obliged(f.germany("email", "service"))
}
