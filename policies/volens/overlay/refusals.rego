# METADATA
# title: What an overlay may not say
# description: |
#   An overlay can only forbid more, because it is read where the law permits (decision). What would promise less than
#   the law asks is refused all the same, with the rule that forbids it: somebody may believe it.
package volens.overlay

# METADATA
# title: Refusals
# description: Each with the rule that forbids it, and where it stands.
# entrypoint: true
refusals := sort(_refused)

_refused contains {"rule": "ENG-STALE-01", "pointer": "/stale_months"} if {
	input.overlay.stale_months > data.volens.periods.stale.other
}

_refused contains {"rule": "DE-DOI-01", "pointer": "/double_opt_in"} if input.overlay.double_opt_in == false

_refused contains {"rule": "US-STQ-02", "pointer": "/attempts/h24"} if {
	input.overlay.attempts.h24 >= data.volens.bands.attempts.h24
}

_refused contains {"rule": "FR-TEL-02", "pointer": "/attempts/d30"} if {
	input.overlay.attempts.d30 >= data.volens.bands.attempts.d30
}

_refused contains {"rule": rule, "pointer": concat("/", ["/early", format_int(i, 10)])} if {
	some i, rule in input.overlay.early
	not rule in data.volens.stricter.rules
}

_refused contains {"rule": "ENG-QH-01", "pointer": concat("/", ["/hours/days", day])} if {
	some day, spans in input.overlay.hours.days
	some span in spans
	not _within_some_window(span)
}

_within_some_window(span) if {
	some window in _windows
	some spans in window.days
	some open in spans
	span[0] >= open[0]
	span[1] <= open[1]
}

_windows contains data.volens.windows.default

_windows contains window if some window in data.volens.windows.places

_windows contains window if some window in data.volens.windows.federal
