# The least that a policy of consent can be, for OPA's own server to be at its best.
package volens.trivial

default allow := false

allow if input.consent == "opt_in"
