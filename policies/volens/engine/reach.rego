package volens.engine

import data.volens.lib
import data.volens.situation

_refusals := {"opt_out", "object", "complaint", "refused_in_call"}

# METADATA
# description: |
#   The acts that say no to what is asked, by position. Whether a later opt-in has opened the door again is for each
#   law to say. A refusal dated later than the question counts already (ENG-TIME-01).
# scope: document
reaching contains i if {
	some i, act in input.acts
	act.action in _refusals
	situation.purpose in aims[i]
	_on_channel(act)
}

# An objection is not about channels where it stops profiling (RULES D10(2)).
reaching contains i if {
	some i, act in input.acts
	act.action == "object"
	situation.purpose in {"personalization", "profiling", "targeted_ads"}
	situation.purpose in aims[i]
}

# Nor where sensitive data are used beside any message.
reaching contains i if {
	some i, act in input.acts
	act.action == "object"
	situation.purpose == "sensitive_use"
	situation.channel in {"in_app", "web", "ads"}
	situation.purpose in aims[i]
}

# Neither a sale nor an audience has a channel.
reaching contains i if {
	some i, act in input.acts
	act.action in _refusals
	situation.purpose in {"sale_share", "targeted_ads"}
	situation.purpose in aims[i]
}

# Nor has what hands data on, where the sale of them is refused (RULES D10(7)).
reaching contains i if {
	some i, act in input.acts
	act.action in _refusals
	_aim(act) == "sale_share"
	situation.discloses
}

# Nor has a profile.
reaching contains i if {
	some i, act in input.acts
	act.action in _refusals
	_aim(act) == "profiling"
	situation.purpose in aims[i]
}

reaching contains i if {
	some i, act in input.acts
	act.action in _refusals
	_aim(act) == "profiling"
	_profiled_message
}

reaching contains i if {
	some i, act in input.acts
	act.action == "declined_opt_in"
	situation.ordinary
	_declines(_aim(act))
	_on_channel(act)
}

reaching contains i if {
	some i, act in input.acts
	act.action in {"opt_out_sale", "gpc"}
	situation.discloses
}

reaching contains i if {
	some i, act in input.acts
	act.action == "gpc"
	situation.purpose == "profiling"
}

reaching contains i if {
	some i, act in input.acts
	act.action == "limit"
	situation.purpose == "sensitive_use"
	not situation.necessary_use
}

# METADATA
# description: The purposes that each refusal is about (RULES D3, D9(10), D10(2), D10(4)).
aims[i] := purposes if {
	some i, act in input.acts
	act.action in _refusals
	purposes := _reach(_aim(act), act.action)
}

_declines("any")

_declines(aim) if lib.covers_purpose(aim, situation.purpose)

_profiled_message if {
	situation.family
	input.context.profiled == true
}

# METADATA
# description: What a refusal names. One that names nothing, or what nobody can be asked about, is of marketing.
_aim(act) := "profiling" if {
	act.scope == "profiling_only"
} else := "sale_share" if {
	act.scope == "sale_share"
} else := "marketing" if {
	not act.purpose
} else := "marketing" if {
	act.purpose in {"contract", "donation", "product_safety", "collection", "tenant"}
} else := act.purpose

_reach("any", _) := _everything

_reach("marketing", action) := _family | _linked(action) if not situation.necessary_use

_reach("marketing", action) := _family | (_linked(action) - {"sensitive_use"}) if situation.necessary_use

_reach("profiling", _) := {"personalization", "profiling", "targeted_ads"}

_reach("sale_share", _) := {"sale_share", "targeted_ads"} | _disclosed

_reach("targeted_ads", _) := {"sale_share", "targeted_ads"}

# Nobody can stop what must be said (stage 2), nor its own confirmation.
_reach(purpose, _) := {purpose} - (situation.duties | {"optout_confirmation"}) if {
	not purpose in {"any", "marketing", "profiling", "sale_share", "targeted_ads"}
}

_family := {
	"marketing",
	"partner_marketing",
	"fundraising",
	"survey",
	"reconsent",
	"political_ads",
	"doi_confirmation",
}

# An objection to marketing also ends the profiling for it.
_linked("object") := {"sensitive_use", "personalization", "profiling", "targeted_ads"}

_linked(action) := {"sensitive_use"} if action != "object"

# Whatever hands data on is a sharing of them.
default _disclosed := set()

_disclosed := {situation.purpose} if situation.discloses

_everything := _family | {
	"personalization",
	"profiling",
	"adm",
	"analytics",
	"email_tracking",
	"targeted_ads",
	"sale_share",
	"sensitive_use",
	"fip_enrolment",
	"service",
	"security",
	"support",
}

_on_channel(act) if act.channel == situation.channel

_on_channel(act) if global(act)

# METADATA
# description: A scope that is missing on a refusal that names its channels is these channels (RULES D3).
global(act) if act.channel == "any"

global(act) if act.scope in {"global", "unspecified", "other"}

# METADATA
# description: The objections that reach the question, which govern instead of the flag (RULES D10(1)).
objections contains i if {
	some i in reaching
	input.acts[i].action == "object"
}

# METADATA
# description: The flag of an objection, where no act tells more.
flagged_objection if {
	input.flags.objected == true
	count(objections) == 0
	situation.purpose in _reach("marketing", "object")
}

# METADATA
# description: Some refusal on file is of profiling, whatever else it leaves alone.
profiling_refused if {
	some act in input.acts
	act.action in {"object", "opt_out"}
	_aim(act) == "profiling"
}
