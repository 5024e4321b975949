"""`volens policy explain`: why a case comes out as it does, in a terminal."""

import json
import re
from pathlib import Path

import pytest

from tests.journeys.commands import refusal, typed
from tests.toy_policy import opa

LETTER = {"jurisdiction": "DE", "channel": "post", "purpose": "marketing", "subject": {"is_customer": True}}


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """A file with one case, over several lines."""
    (tmp_path / "letter.json").write_text(json.dumps(LETTER, indent=2))
    return str(tmp_path / "letter.json")


def lines(shown: str) -> list[str]:
    """Return what a tree says, without its branches."""
    return [re.sub(r"^[│├└─\s]+", "", line).strip() for line in shown.splitlines()]


def test_a_case_is_explained_as_a_tree(letter: str):
    result = typed("policy", "explain", letter)
    said = lines(result.stdout)

    assert result.exit_code == 0
    assert said[:2] == ["letter.json:1: deny", "laws"]
    assert re.fullmatch(r"DE: .*gdpr.*; no basis", said[2])
    assert "EU-LI-01 denies; unknown fact: context.lia_on_file" in said
    assert said[-1] == "permitted if context.lia_on_file were true"
    stages = [int(found[1]) for line in said if (found := re.match(r"(\d+) [a-z]", line)) and "not apply" not in line]
    assert stages == sorted(stages)


def test_a_case_can_come_from_standard_input(letter: str):
    said, told = typed("policy", "explain", "-", stdin=Path(letter).read_text()), typed("policy", "explain", letter)

    assert said.exit_code == 0
    assert lines(said.stdout) == ["-:1: deny", *lines(told.stdout)[1:]]
    assert "standard input holds no cases" in refusal(typed("policy", "explain", "-", stdin="\n"))


def test_rules_that_do_not_apply_are_counted_or_named(letter: str):
    counted, named = (lines(typed("policy", "explain", *options, letter).stdout) for options in ([], ["--all"]))

    assert not any(line.endswith(" does not apply") and line[0].isupper() for line in counted)
    assert any(re.fullmatch(r"1 erasure: \d+ do not apply", line) for line in counted)
    assert "DE-UWG-01 does not apply" in named
    assert not any(re.search(r"\d+ do not apply$", line) for line in named)


def test_a_permit_says_what_it_rests_on(tmp_path: Path):
    case = LETTER | {"id": "a letter", "context": {"lia_on_file": True}, "expect": {"allow": True, "basis": "none"}}
    (tmp_path / "cases.jsonl").write_text(f"{json.dumps(case)}\n{json.dumps(LETTER | {'jurisdiction': 'QQ'})}\n")
    said = lines(typed("policy", "explain", str(tmp_path / "cases.jsonl")).stdout)

    assert said[0] == "a letter: permit, on legitimate_interest"
    assert "EU-LI-01 permits" in said
    assert "cases.jsonl:2: deny" in said
    assert "unknown_jurisdiction at /jurisdiction: judged by the strictest profile" in said


@pytest.mark.parametrize("engine", ["embedded", "opa"])
def test_an_explanation_is_printed_as_json_for_machines(letter: str, engine: str):
    if engine == "opa":
        opa()
    (told,) = json.loads(typed("policy", "explain", "--json", "--engine", engine, letter).stdout)

    assert (told["id"], told["decision"]) == ("letter.json:1", "deny")
    assert [remedy["sentence"] for remedy in told["explanation"]["remedies"]] == [
        "permitted if context.lia_on_file were true"
    ]
    assert {rule["outcome"] for rule in told["explanation"]["rules"]} >= {"denies", "does not apply"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no cases"),
        ("{", "line 1: no case in JSON"),
        ("[]", "line 1: no case in JSON"),
        (json.dumps(LETTER | {"channel": "pigeon"}), "case:1: Invalid enum value 'pigeon' - at `$.channel`"),
        (json.dumps(LETTER | {"purpose": "x-club"}), "case:1: no purpose of this name"),
        (json.dumps(LETTER | {"at": "0001-01-01T00:00:00Z"}), "case:1: the year of the question"),
        (json.dumps(LETTER | {"mail": "x"}), "case:1: Object contains unknown field `mail`"),
    ],
)
def test_what_is_no_case_is_refused_in_one_line(tmp_path: Path, content: str, said: str):
    (tmp_path / "case").write_text(content)
    result = typed("policy", "explain", str(tmp_path / "case"))

    assert result.exit_code == 2
    assert said in refusal(result)
