package volens.decision

import data.volens.engine
import data.volens.mailbox

# METADATA
# title: Exports
# description: |
#   What each regime says about the case, for those that apply. `deny` denies whatever else holds. `basis` is what the
#   law permits on, `basis_in` the same by place. `gate` forbids what has no basis, and is named on a permit too.
#   `flaw` and `failing` say why there is none. `late` denies at this hour. `tried` and `note` are named, no more.
#   `relied` are the acts behind each basis, `related` those behind any permit, `refused` the refusals that stand,
#   `lacking` the opt-ins that weren't enough, all by position.
_said["engine"] := {
	"deny": engine.deny,
	"tried": engine.tried,
	"note": engine.note,
	"late": engine.late,
}

_said["mailbox"] := {"note": mailbox.note}
