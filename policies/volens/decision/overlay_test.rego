package volens.decision_test

import data.volens.fixtures_test as f

_permitted_mail := f.after(f.germany("email", "marketing"), [f.opt_in({"months_past": 6})])

_permitted_call := f.after(
	f.germany("phone", "marketing"),
	[f.opt_in({"channel": "phone", "method": "act", "months_past": 3})],
)

_under(facts, overlay) := object.union(facts, {"overlay": overlay})

test_an_overlay_refuses_channels_and_purposes if {
	f.denied_by(_under(_permitted_mail, {"denied": [{"channel": "email"}]}), "ENG-OWN-01")
	f.denied_by(_under(_permitted_mail, {"denied": [{"purpose": "marketing"}]}), "ENG-OWN-01")
	f.denied_by(_under(_permitted_mail, {"denied": [{"channel": "email", "purpose": "marketing"}]}), "ENG-OWN-01")
	f.basis(_under(_permitted_mail, {"denied": [{"channel": "sms", "purpose": "marketing"}]})) == "consent"
	f.basis(_under(_permitted_mail, {"denied": [{"channel": "email", "purpose": "survey"}]})) == "consent"
}

test_an_overlay_refuses_bases if {
	similar := f.given(f.after(f.germany("email", "marketing"), [f.purchase({})]), f.similar)
	f.basis(similar) == "soft_opt_in"
	f.denied_by(_under(similar, {"refused_bases": ["soft_opt_in"]}), "ENG-OWN-01")
	f.basis(_under(similar, {"refused_bases": ["legitimate_interest"]})) == "soft_opt_in"
}

test_an_overlay_lets_consent_end_earlier if {
	f.denied_by(_under(_permitted_mail, {"stale_months": 6}), "ENG-OWN-01")
	f.basis(_under(_permitted_mail, {"stale_months": 12})) == "consent"
	f.basis(_under(f.of(_permitted_mail, {"interaction": {"months_past": 3}}), {"stale_months": 6})) == "consent"
}

test_an_overlay_asks_for_a_second_step if {
	single := f.after(f.california("email", "marketing"), [f.opt_in({"method": "act"})])
	f.basis(single) == "consent"
	f.denied_by(_under(single, {"double_opt_in": true}), "ENG-OWN-01")
	f.basis(_under(_permitted_mail, {"double_opt_in": true})) == "consent"
}

test_an_overlay_caps_attempts if {
	once := object.union(_permitted_call, {"attempts": {"h24": 1, "d30": 1}})
	f.denied_by(_under(once, {"attempts": {"h24": 1}}), "ENG-OWN-01")
	f.basis(_under(once, {"attempts": {"h24": 2, "d30": 2}})) == "consent"
}

_mornings := {"channels": ["phone"], "days": {"5": [[540, 720]]}, "on_holidays": false}

test_an_overlay_narrows_the_hours_and_a_later_one_opens if {
	f.basis(_under(f.at(_permitted_call, 5, 600), {"hours": _mornings})) == "consent"
	closed := _under(f.at(_permitted_call, 5, 720), {"hours": _mornings})
	f.denied_by(closed, "ENG-OWN-01")
	f.verdict(closed).closed_hours
	f.denied_by(_under(f.at(_permitted_call, 4, 600), {"hours": _mornings}), "ENG-OWN-01")
	holiday := {"clock": {"local": [{"weekday": 5, "minute": 600, "holiday": true}]}}
	f.denied_by(_under(object.union(_permitted_call, holiday), {"hours": _mornings}), "ENG-OWN-01")
}

test_the_hours_of_a_person_do_not_widen_those_of_the_tenant if {
	any_hour := f.after(f.germany("phone", "marketing"), [f.opt_in({
		"channel": "phone",
		"method": "act",
		"hours_open": true,
	})])
	f.basis(f.at(any_hour, 5, 1290)) == "consent"
	f.denied_by(_under(f.at(any_hour, 5, 1290), {"hours": _mornings}), "ENG-OWN-01")
}

test_an_overlay_follows_a_coming_rule_early if {
	facts := f.flagged(
		f.given(
			f.after(f.california("web", "adm"), [{
				"action": "adm_opt_out",
				"channel": "any",
				"purpose": "adm",
				"method": "withdrawal",
				"rank": 3,
			}]),
			{},
		),
		{},
	)
	f.basis(f.on(facts, "2026-07-01")) == "none"
	f.denied_by(_under(f.on(facts, "2026-07-01"), {"early": ["USCA-ADM-01"]}), "USCA-ADM-01")
	not "GB-PEC-03" in data.volens.stricter.rules
}

test_an_overlay_is_silent_where_the_law_denies if {
	denied := _under(f.germany("email", "marketing"), {"denied": [{"channel": "email"}]})
	not "ENG-OWN-01" in f.named(denied)
	f.denied_by(denied, "EU-EPD-01")
}
