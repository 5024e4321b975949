package volens.quebec_test

import data.volens.fixtures_test as f

_asked(channel, purpose) := f.placed(f.germany(channel, purpose), {"residence": "CA-QC"})

_mail := _asked("email", "marketing")

_opt_in(changes) := f.opt_in(object.union({"method": "act"}, changes))

test_consent_is_that_of_canada_and_informed if {
	facts := f.after(_mail, [_opt_in({"months_past": 36})])
	f.basis(facts) == "consent"
	{"CA-CASL-01", "CA-QC-01"} - f.named(facts) == set()
	f.denied_by(f.after(_mail, [object.remove(_opt_in({}), ["notice"])]), "CA-QC-01")
	f.basis(f.after(_mail, [f.purchase({})])) == "consent"
}

test_children_below_fourteen_need_a_parent if {
	child := f.of(_mail, {"age": 13})
	f.denied_by(f.after(child, [_opt_in({"age": 13})]), "CA-QC-01")
	f.denied_by(f.after(child, [f.purchase({})]), "CA-QC-01")
	f.basis(f.after(child, [f.parental_consent({})])) == "consent"
	grown := f.of(_mail, {"age": 14})
	f.denied_by(f.after(grown, [_opt_in({"age": 13})]), "CA-QC-01")
	own := f.after(grown, [_opt_in({"age": 14})])
	f.basis(own) == "consent"
	"CA-QC-01" in f.named(own)
}

test_profiling_is_off_until_switched_on if {
	every purpose in ["personalization", "profiling", "targeted_ads"] {
		facts := _asked("web", purpose)
		f.denied_by(f.given(facts, {"lia_on_file": true}), "CA-QC-01")
		f.basis(f.after(facts, [_opt_in({"channel": "web", "purpose": purpose})])) == "consent"
	}
}

test_a_profiled_message_needs_profiling_switched_on if {
	facts := f.given(f.after(_mail, [_opt_in({})]), {"profiled": true})
	f.denied_by(facts, "CA-QC-01")
	toggle := _opt_in({"channel": "in_app", "purpose": "profiling"})
	f.basis(f.after(facts, [_opt_in({}), toggle])) == "consent"
	f.denied_by(f.after(facts, [_opt_in({}), object.union(toggle, {"age": 13})]), "CA-QC-01")
	off := f.opt_out({"channel": "in_app", "purpose": "profiling", "rank": 5})
	f.denied_by(f.after(facts, [_opt_in({"rank": 8}), toggle, off]), "CA-QC-01")
}

test_nobody_is_located_on_the_strength_of_a_sale if {
	facts := f.given(_mail, {"sensitive": "precise_geolocation"})
	f.denied_by(f.after(facts, [f.purchase({})]), "CA-QC-01")
	f.basis(f.after(facts, [_opt_in({})])) == "consent"
}

test_machines_may_decide_with_notice_and_review if {
	facts := _asked("web", "adm")
	f.basis(facts) == "none"
	"CA-QC-01" in f.named(facts)
	{"adm_notice", "human_review_available"} - f.obliged(facts) == set()
}

test_the_hours_are_canadian if f.denied_by(f.at(_asked("phone", "marketing"), 6, 1080), "CA-DNCL-01")
