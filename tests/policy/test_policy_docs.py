"""The page about the rules, made of a catalogue of three."""

from pathlib import Path
from typing import Any

import pytest

from tools import policy_docs


def a_rule(id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "title": f"Title of {id}",
        "condition": "texts: no consent",
        "citation": "Act s.1",
        "confidence": "K",
        "regime": "land",
        "status": "rego",
        **changes,
    }


def an_annotation(id: str, stage: int, file: str = "volens/land/consent.rego", **changes: Any) -> dict[str, Any]:
    custom = {"id": id, "stage": stage} | changes.pop("custom", {})
    return {"annotations": {"custom": custom, **changes}, "location": {"file": file}, "path": []}


PACKAGE = {
    "annotations": {
        "scope": "package",
        "title": "The Land, by the sea",
        "description": "Its acts",
        "related_resources": [{"ref": "https://law.example"}],
    },
    "location": {"file": "volens/land/consent.rego"},
    "path": [{"value": "data"}, {"value": "volens"}, {"value": "land"}],
}


def page(catalogue: list[dict[str, Any]], annotations: list[dict[str, Any]], *files: Path) -> list[str]:
    tests = [file for file in files if file.suffix == ".rego"]
    cases = [file for file in files if file.suffix == ".jsonl"]
    return policy_docs.page(catalogue, annotations, tests, cases).decode().splitlines()


def row(lines: list[str], rule: str) -> list[str]:
    (line,) = [line for line in lines if f"**{rule}**" in line]
    return line.strip("|").split(" | ")


def test_a_rule_is_told_with_all_that_is_known_of_it(tmp_path: Path):
    (tmp_path / "land_test.rego").write_text(
        'package volens.land_test\n\ntest_a if {\n\t"L-01" in denied\n\n\t"L-01" in denied\n}\n\n'
        '_helper := {"L-01"}\n\ntest_b if denied("L-01")\n\ntest_c if denied("L-02")\n'
    )
    (tmp_path / "land.jsonl").write_text('{"expect": {"must_mention": ["L-01"]}}\n{"expect": {}}\n')
    note = an_annotation("L-01", 10, description="Also\nof ships.\n", custom={"in_force": "2026-01-01"})

    cells = row(page([a_rule("L-01")], [PACKAGE, note], *tmp_path.iterdir()), "L-01")

    assert [cell.strip() for cell in cells] == [
        "10",
        "**L-01** Title of L-01",
        "Texts: no consent. Also of ships.",
        "Act s.1",
        "K",
        "2026-01-01",
        "[land/consent](../policies/volens/land/consent.rego)",
        "2 + 1",
    ]


def test_a_regime_opens_with_its_package_and_can_be_jumped_to():
    lines = page([a_rule("L-01")], [PACKAGE, an_annotation("L-01", 10)])

    assert "Its acts. [Text](https://law.example)" in lines[lines.index("## The Land, by the sea") :]
    assert any("[The Land, by the sea](#the-land-by-the-sea)" in line for line in lines)


def test_the_rules_of_a_regime_stand_in_the_order_of_decision():
    lines = page(
        [a_rule("L-01"), a_rule("L-02")],
        [an_annotation("L-01", 10), an_annotation("L-01", 12), an_annotation("L-02", 4)],
    )

    assert row(lines, "L-01")[0].strip() == "10, 12"
    text = "\n".join(lines)
    assert text.index("**L-02**") < text.index("**L-01**")


def test_what_another_regime_says_of_a_rule_is_linked_and_not_repeated():
    elsewhere = an_annotation("L-01", 10, "volens/sea/sea.rego", description="Of the sea.")

    cells = row(page([a_rule("L-01")], [an_annotation("L-01", 10), elsewhere]), "L-01")

    assert cells[2] == "Texts: no consent."
    assert "sea/sea" in cells[6]


@pytest.mark.parametrize(
    ("status", "title"), [("elsewhere", "## Kept elsewhere"), ("not_checkable", "## For people to judge")]
)
def test_a_rule_that_is_not_in_rego_is_listed_with_the_reason(status: str, title: str):
    where = {"where": "policies/data/deadlines.json"} if status == "elsewhere" else {}
    lines = page([a_rule("L-01", status=status, reason="A date.", **where)], [])

    assert "**L-01**" in "\n".join(lines[lines.index(title) :])
    assert row(lines, "L-01")[-1].startswith("A date.")
    assert ("deadlines.json" in row(lines, "L-01")[-1]) == (status == "elsewhere")


def test_signs_that_mean_something_in_a_table_are_escaped():
    lines = page([a_rule("L-01", condition="age <13 | unknown")], [an_annotation("L-01", 7)])

    assert any(r"Age \<13 \| unknown." in line for line in lines)
