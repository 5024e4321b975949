# METADATA
# title: Who may ask the OPA server
# description: |
#   The service, with its token, for the entrypoints alone; anybody for the server's health.
#   No policy can be read or replaced and no other document asked through the API.
package system.authz

default allow := false

entrypoints := {
	["v1", "data", "volens", "decision", "verdict"],
	["v1", "data", "volens", "decision", "considered"],
	["v1", "data", "volens", "overlay", "refusals"],
}

allow if {
	token := opa.runtime().env.VOLENS_OPA_TOKEN
	token != ""
	input.identity == token
	input.method == "POST"
	input.path in entrypoints
}

allow if {
	input.method == "GET"
	input.path == ["health"]
}
