package volens.gdpr

import data.volens.france
import data.volens.germany
import data.volens.situation
import data.volens.spain
import data.volens.uk

# What the states add: a consent that one of them finds wanting opens no door in any.
_faults contains fault if {
	situation.under.germany
	some fault in germany.flaw
}

_faults contains fault if {
	situation.under.france
	some fault in france.flaw
}

_faults contains fault if {
	situation.under.spain
	some fault in spain.flaw
}

_faults contains fault if {
	situation.under.uk
	some fault in uk.flaw
}
