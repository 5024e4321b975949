package volens.gdpr_suppression_test

import data.volens.fixtures_test as f

_mail := f.after(f.germany("email", "marketing"), [f.opt_in({})])

_erased(rank) := {"action": "erased", "channel": "any", "purpose": "any", "rank": rank}

test_a_suppressed_address_is_left_alone if {
	f.denied_by(f.flagged(_mail, {"suppressed": true}), "EU-SUP-01")
	f.denied_by(f.flagged(_mail, {"suppressed": true, "suppressed_rank": 6}), "EU-SUP-01")
	f.denied_by(f.flagged(f.germany("email", "service"), {"suppressed": true}), "EU-SUP-01")
}

test_a_later_consent_admits_again if f.basis(f.flagged(_mail, {"suppressed": true, "suppressed_rank": 4})) == "consent"

test_after_an_erasure_only_a_fresh_opt_in_begins_anew if {
	f.denied_by(f.after(_mail, [f.opt_in({}), _erased(6)]), "EU-ERA-03")
	facts := f.after(_mail, [f.opt_in({"rank": 7}), _erased(6)])
	f.basis(facts) == "consent"
	{"EU-ERA-03", "EU-CON-12"} - f.named(facts) == set()
}

test_nothing_is_later_than_a_flag if f.denied_by(f.flagged(_mail, {"erased": true}), "EU-ERA-03")
