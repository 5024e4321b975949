# METADATA
# title: Who may ask the OPA server
# description: |
#   The service, with its token, for verdicts alone; anybody for the server's health.
#   No policy can be read or replaced and no other document asked through the API.
package system.authz

default allow := false

allow if {
	token := opa.runtime().env.VOLENS_OPA_TOKEN
	token != ""
	input.identity == token
	input.method == "POST"
	input.path == ["v1", "data", "volens", "decision", "verdict"]
}

allow if {
	input.method == "GET"
	input.path == ["health"]
}
