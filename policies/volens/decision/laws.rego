package volens.decision

import data.volens.ccpa
import data.volens.engine
import data.volens.eprivacy
import data.volens.gdpr
import data.volens.germany
import data.volens.mailbox
import data.volens.situation
import data.volens.us_federal

# METADATA
# description: |
#   What each regime exports, gathered for the laws that apply. `deny` denies whatever else holds. `basis` is what the
#   law permits on. `gate` forbids what has no basis, and is named on a permit too. `flaw` and `failing` say why
#   there is none. `tried` and `note` are named, no more.
_objections contains reason if some reason in engine.deny

_objections contains reason if {
	situation.european
	some reason in (gdpr.deny | eprivacy.deny)
}

_objections contains reason if {
	situation.german
	some reason in germany.deny
}

_objections contains reason if {
	situation.american
	some reason in us_federal.deny
}

_objections contains reason if {
	situation.californian
	some reason in ccpa.deny
}

# METADATA
# description: The bases of Union law, with those that Germany adds.
# scope: document
european_bases contains basis if {
	situation.european
	some basis in (gdpr.basis | eprivacy.basis)
}

european_bases contains basis if {
	situation.german
	some basis in germany.basis
}

# METADATA
# description: The bases of federal law, with those that California adds.
# scope: document
american_bases contains basis if {
	situation.american
	some basis in us_federal.basis
}

american_bases contains basis if {
	situation.californian
	some basis in ccpa.basis
}

_bases := european_bases | american_bases

_unmet_laws contains "european" if {
	situation.european
	count(european_bases) == 0
}

_unmet_laws contains "american" if {
	situation.american
	count(american_bases) == 0
}

_european_gates contains reason if some reason in (gdpr.gate | eprivacy.gate)

_european_gates contains reason if {
	situation.german
	some reason in germany.gate
}

_american_gates contains reason if some reason in us_federal.gate

_american_gates contains reason if {
	situation.californian
	some reason in ccpa.gate
}

_unmet contains reason if {
	"european" in _unmet_laws
	some reason in _european_gates
}

_unmet contains {"rule": fault.rule, "stage": fault.stage} if {
	"european" in _unmet_laws
	situation.ordinary
	some fault in gdpr.flaw
}

_unmet contains {"rule": fault.rule, "stage": fault.stage} if {
	"european" in _unmet_laws
	situation.ordinary
	situation.german
	some fault in germany.flaw
}

_unmet contains reason if {
	"european" in _unmet_laws
	some reason in gdpr.failing
}

_unmet contains reason if {
	"european" in _unmet_laws
	situation.german
	some reason in germany.failing
}

_unmet contains reason if {
	"american" in _unmet_laws
	some reason in _american_gates
}

_unmet contains reason if {
	"american" in _unmet_laws
	some reason in us_federal.failing
}

_unmet contains reason if {
	"american" in _unmet_laws
	situation.californian
	some reason in ccpa.failing
}

_met contains reason if {
	count(european_bases) > 0
	some reason in _european_gates
}

_met contains reason if {
	count(american_bases) > 0
	some reason in _american_gates
}

_tried contains reason if some reason in engine.tried

_tried contains reason if {
	situation.european
	some reason in (gdpr.tried | gdpr.futile)
}

_tried contains reason if {
	situation.european
	not "soft_opt_in" in european_bases
	some reason in eprivacy.tried
}

_tried contains reason if {
	situation.american
	some reason in us_federal.tried
}

_notes contains reason if some reason in engine.note

_notes contains reason if some reason in mailbox.note

_notes contains reason if {
	situation.european
	some reason in (gdpr.note | eprivacy.note)
}

_notes contains reason if {
	situation.german
	some reason in germany.note
}

_notes contains reason if {
	situation.american
	some reason in us_federal.note
}

_notes contains reason if {
	situation.californian
	some reason in ccpa.note
}

# METADATA
# description: |
#   The acts that decided, by position. On a permit those that it rests on; on a denial the refusals that stand, or
#   else the opt-ins that weren't enough.
# scope: document
decisive contains i if {
	_permitted_but_for_the_hour
	"consent" in european_bases
	some i in gdpr.consenting
}

decisive contains i if {
	_permitted_but_for_the_hour
	not "consent" in european_bases
	"soft_opt_in" in european_bases
	some i in eprivacy.soft
}

decisive contains i if {
	situation.european
	some i in gdpr.standing
}

decisive contains i if {
	"european" in _unmet_laws
	some i, _ in gdpr.permission
}

decisive contains i if {
	_permitted_but_for_the_hour
	"consent" in american_bases
	some i in (us_federal.sufficient | us_federal.informing)
}

decisive contains i if {
	situation.american
	some i in us_federal.refused
}

decisive contains i if {
	situation.californian
	some i in (ccpa.standing | ccpa.limits)
}

decisive contains i if {
	_permitted_but_for_the_hour
	situation.californian
	some i in (ccpa.opted_in | us_federal.related)
}
