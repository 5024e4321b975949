package checks.annotations_test

import data.checks.annotations

test_the_policies_are_in_order if {
	print(annotations.deny)
	annotations.deny == set()
}

_path := [{"type": "var", "value": "data"}, {"type": "string", "value": "volens"}, {"type": "string", "value": "gdpr"}]

_entry(changes) := {"path": _path, "annotations": object.union(
	{"title": "T", "custom": {"id": "R", "citation": "C", "confidence": "K", "stage": 3}},
	changes,
)}

_row := {"id": "R", "title": "T", "citation": "C", "confidence": "K", "regime": "gdpr"}

_reason := {"package": "volens.gdpr", "rule": "R", "stage": 3}

_found(entries, rows, stated) := failed if {
	failed := {deny.check | some deny in annotations.deny} with data.annotated as entries
		with data.catalogue as rows
		with data.stated as stated
}

test_a_rule_in_order_passes if _found([_entry({})], [_row], [_reason]) == set()

test_an_unknown_rule_is_found if {
	"the catalogue knows the rule" in _found([_entry({})], [], [_reason])
}

test_an_incomplete_rule_is_found if {
	entry := json.remove(_entry({}), ["/annotations/custom/citation"])
	"title, citation, stage and confidence are given" in _found([entry], [_row], [_reason])
	late := _entry({"custom": {"stage": 16}})
	"title, citation, stage and confidence are given" in _found([late], [_row], [_reason])
}

test_a_rule_cited_otherwise_is_found if {
	"the catalogue cites the same" in _found([_entry({"custom": {"citation": "D"}})], [_row], [_reason])
}

test_a_second_title_is_found if {
	"a rule has one title" in _found([_entry({"title": "U"})], [_row], [_reason])
}

test_a_rule_catalogued_twice_is_found if {
	"the catalogue names a rule once" in _found([_entry({})], [_row, _row], [_reason])
}

test_a_reason_that_is_not_annotated_is_found if {
	stated := [_reason, object.union(_reason, {"stage": 4})]
	"a reason is annotated in its package, with its stage" in _found([_entry({})], [_row], stated)
}

test_an_annotation_without_a_reason_is_found if {
	"an annotated rule is stated" in _found([_entry({})], [_row], [])
}

test_a_day_that_the_table_lacks_is_found if {
	entry := _entry({"custom": {"in_force": "2020-01-01"}})
	found := {deny.check | some deny in annotations.deny} with data.annotated as [entry]
		with data.volens.in_force as {"R": "2021-01-01"}
	{"the table has the same day", "every day on which something begins is a band"} - found == set()
}

test_an_edge_between_two_bands_is_found if {
	found := {deny.check | some deny in annotations.deny} with data.volens.bands.minutes as []
	"every edge of a window is a band" in found
}
