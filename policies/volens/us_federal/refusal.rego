package volens.us_federal

import data.volens.engine
import data.volens.lib
import data.volens.situation

# METADATA
# description: The rank of the latest act that could open the door again; 0 where there is none.
latest_opening := max({0} | {input.acts[i].rank | some i in _openings})

_openings := _pending if situation.purpose == "doi_confirmation"

_openings := _opening_consents if situation.purpose != "doi_confirmation"

_opening_consents := consented if not _asks_for_writing

_opening_consents := {i | some i in consented; in_writing(input.acts[i])} if _asks_for_writing

_pending contains i if {
	some i, act in input.acts
	act.action == "opt_in_pending"
	not act.future
	not act.person
	not act.address == "other"
	lib.names_channel(act, situation.channel)
}

# METADATA
# description: True when a refusal that ends what is asked came after the act, or with it (ENG-CONF-01).
withdrawn(act) if act.rank <= _last_refusal

# No act has the rank 0.
_last_refusal := max({0} | {input.acts[i].rank | some i in (engine.reaching | _refused_elsewhere)})

# METADATA
# title: Refusals
# description: |
#   The refusals that no consent has overtaken. Those that state law knows other ways out of are its own matter.
# scope: document
standing contains i if {
	some i in engine.reaching
	not _of_the_states(input.acts[i])
	not latest_opening > input.acts[i].rank
}

_of_the_states(act) if act.action in {"opt_out_sale", "gpc", "limit"}

_of_the_states(_) if situation.purpose in {"sale_share", "targeted_ads"}

# METADATA
# description: A refusal, or the flag of one, stands.
barred if count(standing) > 0

barred if _flagged

_flagged if engine.flagged_objection

# METADATA
# title: A refusal takes effect on receipt
# scope: rule
# custom:
#   id: ENG-OPT-01
#   citation: GDPR Art. 7(3), 21(3); 15 U.S.C. 7704(a)(4); 47 CFR 64.1200(a)(10),(d)(3); 11 CCR 7026(f)
#   stage: 4
#   confidence: K
deny contains {"rule": "ENG-OPT-01", "stage": 4} if barred

# METADATA
# title: A complaint is an objection
# scope: rule
# custom:
#   id: ENG-COMPL-01
#   citation: GDPR Art. 21(2)-(3), 12(2); 47 CFR 64.1200(a)(10)
#   stage: 4
#   confidence: P/K
deny contains {"rule": "ENG-COMPL-01", "stage": 4} if {
	some i in standing
	input.acts[i].action == "complaint"
}

# METADATA
# title: Consent to calls and texts is revoked in any reasonable way
# scope: rule
# custom:
#   id: US-TCPA-02
#   citation: 47 CFR 64.1200(a)(10); FCC 24-24, 89 FR 15756
#   stage: 4
#   confidence: V
deny contains {"rule": "US-TCPA-02", "stage": 4} if {
	situation.channel in telephone
	barred
}

# METADATA
# title: Nobody may be told how to revoke
# scope: rule
# custom:
#   id: US-TCPA-04
#   citation: 47 CFR 64.1200(a)(10)-(11)
#   stage: 4
#   confidence: V
note contains {"rule": "US-TCPA-04", "stage": 4} if {
	situation.channel in telephone
	some i in (engine.reaching | other_matters)
	not input.acts[i].method == "keyword"
}

# METADATA
# title: Who asks not to be called is not called
# scope: rule
# custom:
#   id: US-TCPA-07
#   citation: 47 CFR 64.1200(d)(3),(d)(6)
#   stage: 4
#   confidence: V
deny contains {"rule": "US-TCPA-07", "stage": 4} if {
	situation.family
	situation.channel in telephone
	barred
}

# METADATA
# description: The channels of the law of the telephone.
telephone := {"phone", "phone_auto", "sms"}

# METADATA
# title: A revocation in one matter ends the others
# description: |
#   A stop to another matter is honoured as one to marketing on its channel. From the end of the waiver on, a stop by
#   text or call ends all texts and automatic calls but exempt ones (RULES D9(12), D10(8)).
# scope: rule
# custom:
#   id: US-TCPA-03
#   citation: 47 CFR 64.1200(a)(10); DA 26-12
#   stage: 4
#   confidence: V, D
#   in_force: "2027-02-01"
deny contains {"rule": "US-TCPA-03", "stage": 4} if count(other_matters) > 0

# METADATA
# title: Other matters
# description: The refusals of other messages that end these too, by position.
# scope: document
other_matters contains i if {
	some i in _refused_elsewhere
	not latest_opening > input.acts[i].rank
}

_refused_elsewhere contains i if {
	situation.family
	situation.channel in telephone
	some i, act in input.acts
	_revokes(act)
	act.channel in {situation.channel, "any"}
	_of_another_matter(act)
}

_refused_elsewhere contains i if {
	_machine_sent
	_bound_by_every_stop
	"US-TCPA-03" in situation.begun
	some i, act in input.acts
	_revokes(act)
	_of_messages(i)
	not i in engine.reaching
}

_bound_by_every_stop if situation.family

_bound_by_every_stop if {
	situation.service
	not input.context.exempt_informational == true
}

_of_another_matter(act) if act.purpose in situation.service_purposes

# A keyword answers a message; a choice made elsewhere is about what it names and no more.
_of_another_matter(act) if {
	act.method == "keyword"
	act.purpose in situation.family_purposes
	act.purpose != situation.purpose
	act.purpose != "marketing"
}

_of_messages(i) if engine.aims[i] & (situation.family_purposes | situation.service_purposes) != set()

_revokes(act) if {
	act.action in {"opt_out", "object", "complaint", "refused_in_call"}
	act.channel in (telephone | {"any"})
}

_machine_sent if situation.channel == "sms"

_machine_sent if situation.automatic_call

# METADATA
# title: The refusals that decide
# description: Those that stand, and those of other matters.
refused := standing | other_matters
