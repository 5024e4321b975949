# METADATA
# title: Volens
# description: Every package below reads the same facts and tables, whose shapes `opa check` holds them to.
# scope: subpackages
# schemas:
# - input: schema.input
# - data.volens.actions: schema.actions
# - data.volens.adequacy: schema.adequacy
# - data.volens.ages: schema.ages
# - data.volens.bands: schema.bands
# - data.volens.consents: schema.consents
# - data.volens.in_force: schema.in_force
# - data.volens.listings: schema.listings
# - data.volens.member_states: schema.member_states
# - data.volens.methods: schema.methods
# - data.volens.periods: schema.periods
# - data.volens.places: schema.places
# - data.volens.states: schema.states
# - data.volens.terms: schema.terms
# - data.volens.windows: schema.windows
package volens
