# METADATA
# title: Fixtures
# description: Situations that the tests start from, and what they ask about the verdict.
package volens.fixtures_test

import data.volens.decision

# METADATA
# description: An adult in Germany about whom nothing else is known, at ten on a Friday.
germany(channel, purpose) := _asked("DE", channel, purpose)

# METADATA
# description: The same in California.
california(channel, purpose) := _asked("US-CA", channel, purpose)

# METADATA
# description: A Californian who is written to from the Union, so that union law applies and no national one.
from_europe(channel, purpose) := placed(california(channel, purpose), {"sender": "FR"})

_asked(place, channel, purpose) := {
	"question": {"channel": channel, "purpose": purpose},
	"places": {"residence": place},
	"subject": {"age": 18, "is_customer": false, "b2b": false},
	"signals": {},
	"flags": {},
	"context": {},
	"acts": [],
	"attempts": {"h24": 0, "d30": 0},
	"clock": {
		"law_day": "2026-08-11",
		"zone_known": true,
		"local": [{"weekday": 5, "minute": 600, "holiday": false}],
	},
}

# METADATA
# description: The situation with these acts on file.
after(facts, acts) := object.union(facts, {"acts": acts})

# METADATA
# description: The situation with this declared.
given(facts, context) := object.union(facts, {"context": context})

# METADATA
# description: The situation of such a person.
of(facts, subject) := object.union(facts, {"subject": subject})

# METADATA
# description: The situation of a person whose age nobody knows, and of whom this is known.
of_unknown_age(facts, subject) := object.union(json.remove(facts, ["/subject/age"]), {"subject": subject})

# METADATA
# description: The situation with these signals.
signalled(facts, signals) := object.union(facts, {"signals": signals})

# METADATA
# description: The situation with these flags.
flagged(facts, flags) := object.union(facts, {"flags": flags})

# METADATA
# description: The situation in these places.
placed(facts, places) := object.union(facts, {"places": places})

# METADATA
# description: The situation at this local time.
at(facts, weekday, minute) := object.union(facts, {"clock": {
	"zone_known": true,
	"local": [{"weekday": weekday, "minute": minute, "holiday": false}],
}})

# METADATA
# description: The situation under the law of a day.
on(facts, day) := object.union(facts, {"clock": {"law_day": day}})

# METADATA
# description: A double opt-in to marketing by e-mail, with whatever is different about it.
opt_in(changes) := object.union(
	{
		"action": "opt_in",
		"channel": "email",
		"purpose": "marketing",
		"method": "double_opt_in",
		"evidence": "present",
		"notice": {"version": true},
		"rank": 5,
		"months_past": 6,
		"age": 18,
	},
	changes,
)

# METADATA
# description: An opt-out of marketing by e-mail, with whatever is different about it.
opt_out(changes) := object.union(
	{
		"action": "opt_out",
		"channel": "email",
		"purpose": "marketing",
		"method": "withdrawal",
		"rank": 7,
		"months_waited": 0,
	},
	changes,
)

# METADATA
# description: A purchase at which refusing was offered, with whatever is different about it.
purchase(changes) := object.union(
	{
		"action": "purchase",
		"channel": "any",
		"purpose": "contract",
		"method": "act",
		"evidence": "present",
		"optout_offered_at_collection": true,
		"rank": 4,
		"months_past": 3,
	},
	changes,
)

# METADATA
# description: A parent's consent to everything, with whatever is different about it.
parental_consent(changes) := object.union(
	{
		"action": "parental_consent",
		"channel": "any",
		"purpose": "any",
		"method": "act",
		"evidence": "present",
		"notice": {"version": true},
		"rank": 5,
		"months_past": 6,
	},
	changes,
)

# METADATA
# description: What the soft opt-in asks of the message.
similar := {"similar_product": true, "same_seller": true, "optout_in_message": true}

# METADATA
# description: The verdict on a situation.
verdict(facts) := answer if {
	answer := decision.verdict with input as facts
}

# METADATA
# description: The rules that deny.
denying(facts) := {reason.rule | some reason in verdict(facts).reasons; reason.effect == "deny"}

# METADATA
# description: The rules that are named at all.
named(facts) := {reason.rule | some reason in verdict(facts).reasons}

# METADATA
# description: The basis of a permit; undefined on a denial.
basis(facts) := verdict(facts).basis if verdict(facts).allow

# METADATA
# description: True on a denial that names the rule as denying.
denied_by(facts, rule) if {
	not verdict(facts).allow
	rule in denying(facts)
}

# METADATA
# description: The obligations that come back.
obliged(facts) := {obligation | some obligation in verdict(facts).obligations}
