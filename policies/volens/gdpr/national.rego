package volens.gdpr

import data.volens.germany
import data.volens.situation

# What the states add: a consent that one of them finds wanting opens no door in any.
_faults contains fault if {
	situation.under.germany
	some fault in germany.flaw
}
