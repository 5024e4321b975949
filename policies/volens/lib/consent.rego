package volens.lib

# METADATA
# description: |
#   True for an act of this person's own will on `channel` that can be proven and still runs, for the asking sender,
#   brand and address. What it covers, and whether that is enough, is for each law to say.
sound(act, channel) if {
	counts(act, channel)
	proven(act)
	unbundled(act)
	names_sender(act)
	not steered(act)
	not act.future
	not act.expired
	not act.person
	not "other" in {object.get(act, field, "") | some field in ["address", "brand"]}
	not act.notice.shown == false
	not act.notice.material_change == true
}

# METADATA
# description: True when nothing else was made to depend on the act (RULES D1).
unbundled(act) if {
	not act.unbundled == false
	not _bought(act)
}

_bought(act) if {
	act.incentive == true
	not act.unbundled == true
}

# METADATA
# description: True when there was a text, and it was shown (RULES D1).
informed(act) if {
	act.notice.version == true
	not act.notice.shown == false
}

# METADATA
# description: The rank of the latest of the acts at `positions`; 0, which no act has, where there is none.
latest(acts, positions) := max({0} | {acts[i].rank | some i in positions})
