package volens.us_states_signal_test

import data.volens.fixtures_test as f

_ads(place) := f.placed(f.california("web", "targeted_ads"), {"residence": place})

_signal := {"gpc": true}

_off := {"policy": {"honour_gpc_everywhere": false}}

test_signals_are_honoured_everywhere_by_policy if {
	every place in ["US-CO", "US-VA", "US-NY", "US"] {
		f.denied_by(f.signalled(_ads(place), _signal), "USST-UOOM-01")
	}
	every purpose in ["sale_share", "profiling"] {
		asked := f.placed(f.california("web", purpose), {"residence": "US-VA"})
		f.denied_by(f.signalled(asked, _signal), "USST-UOOM-01")
	}
}

test_the_switch_stops_where_a_law_begins if {
	bound := {"US-CO", "US-CT", "US-DE", "US-MD", "US-MN", "US-MT", "US-NE", "US-NH", "US-NJ", "US-OR", "US-TX", "US"}
	every place in bound {
		f.denied_by(f.given(f.signalled(_ads(place), _signal), _off), "USST-UOOM-01")
	}
	every place in ["US-VA", "US-UT", "US-IA", "US-IN", "US-TN", "US-KY", "US-RI", "US-FL"] {
		facts := f.given(f.signalled(_ads(place), _signal), _off)
		f.basis(facts) == "none"
		"USST-UOOM-01" in f.named(facts)
	}
	f.basis(f.on(f.given(f.signalled(_ads("US-OR"), _signal), _off), "2025-12-28")) == "none"
	profiling := f.placed(f.california("web", "profiling"), {"residence": "US-CO"})
	f.basis(f.given(f.signalled(profiling, _signal), _off)) == "none"
}

test_a_later_opt_in_to_just_this_answers_the_signal if {
	asked := f.opt_in({"action": "opt_in_sale", "channel": "web", "purpose": "sale_share", "rank": 5})
	f.denied_by(f.signalled(f.after(_ads("US-CO"), [asked]), _signal), "USST-UOOM-01")
	f.denied_by(f.signalled(f.after(_ads("US-CO"), [asked]), {"gpc": true, "gpc_first_seen": 5}), "USST-UOOM-01")
	f.basis(f.signalled(f.after(_ads("US-CO"), [asked]), {"gpc": true, "gpc_first_seen": 4})) == "consent"
}

test_a_signal_on_file_is_remembered if {
	sent := f.opt_out({"action": "gpc", "channel": "web", "purpose": "sale_share"})
	facts := f.signalled(f.after(_ads("US-VA"), [sent]), {"gpc": false})
	f.denied_by(f.given(facts, _off), "USST-UOOM-01")
	not "USST-OPT-01" in f.denying(facts)
	profiling := f.placed(f.california("web", "profiling"), {"residence": "US-VA"})
	f.denied_by(f.after(profiling, [sent]), "USST-UOOM-01")
}

test_a_signal_nobody_can_place_is_named if {
	facts := f.signalled(_ads("US-CO"), {"unlinked_browser_gpc": true})
	f.basis(facts) == "none"
	"USST-UOOM-01" in f.named(facts)
}
