package checks.catalogue_test

import data.checks.catalogue

test_the_catalogue_is_in_order if {
	print(catalogue.deny)
	catalogue.deny == set()
}

_row := {"id": "R", "status": "rego"}

_elsewhere := {"id": "R", "status": "elsewhere", "where": "policies/data/deadlines.json", "reason": "A date."}

_found(row, stated) := found if {
	found := {deny.check | some deny in catalogue.deny} with data.catalogue as [row]
		with data.stated as [{"rule": id} | some id in stated]
		with data.volens.deadlines as [{"rules": ["R"]}]
}

test_a_rule_in_order_passes if {
	_found(_row, ["R"]) == set()
	_found(_elsewhere, []) == set()
	_found({"id": "ENG-OWN-02", "status": "own", "reason": "Ours."}, ["ENG-OWN-02"]) == set()
	_found({"id": "R", "status": "not_checkable", "reason": "People judge."}, []) == set()
}

test_a_rule_without_a_status_is_found if {
	unsaid := _found({"id": "R"}, ["R"])
	"a rule has a status that is known" in unsaid
	unknown := _found({"id": "R", "status": "later", "reason": "None."}, [])
	"a rule has a status that is known" in unknown
}

test_a_rule_that_nobody_wrote_is_found if {
	_found(_row, ["S"]) == {"a rule that is said to be in Rego is stated there"}
}

test_a_rule_that_somebody_wrote_all_the_same_is_found if {
	_found(_elsewhere, ["R"]) == {"a rule that is said not to be in Rego is not stated there"}
}

test_a_missing_or_empty_reason_is_found if {
	missing := _found(json.remove(_elsewhere, ["/reason"]), [])
	missing == {"what no law or no Rego states has a reason"}
	empty := _found(object.union(_elsewhere, {"reason": ""}), [])
	empty == {"what no law or no Rego states has a reason"}
}

test_a_rule_elsewhere_that_says_not_where_is_found if {
	_found(json.remove(_elsewhere, ["/where"]), []) == {"a rule that is elsewhere, and no other, says where"}
	_found(object.union(_row, {"where": "here"}), ["R"]) == {"a rule that is elsewhere, and no other, says where"}
}

test_a_rule_that_the_table_of_deadlines_lacks_is_found if {
	lacking := _found(object.union(_elsewhere, {"id": "S"}), [])
	lacking == {"the table of deadlines names the rule that is kept there"}
}

test_a_rule_of_ours_under_a_name_of_the_law_is_found if {
	_found({"id": "R", "status": "own", "reason": "Ours."}, ["R"]) == {"our own rules, and no others, are named ENG-OWN"}
	law := _found({"id": "ENG-OWN-02", "status": "rego"}, ["ENG-OWN-02"])
	law == {"our own rules, and no others, are named ENG-OWN"}
}
