"""The law as examples, through both engines."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.decisions import Memo, PolicyEngine, check_cases
from service.decisions.cases import play
from service.decisions.facts import fill
from tests.situations import BOOLEANS_OF_CONTEXT, CHANNELS, NOON, PURPOSES, template_of

FOLDER = Path(__file__).parent / "cases"
SHARED = [
    line
    for line in (FOLDER / "shared.jsonl").read_text().splitlines()
    if json.loads(line)["jurisdiction"] in {"DE", "US-CA"}
]
OWN = [
    line
    for file in sorted(FOLDER.glob("*.jsonl"))
    if file.name != "shared.jsonl"
    for line in file.read_text().splitlines()
]
CASES = [json.loads(line) for line in (*SHARED, *OWN)]
EXPECTED = {"allow": False, "basis": "none", "must_mention": ["ENG-DENY-01"], "obligations": []}
STRANGER: dict[str, Any] = {
    "id": "T-1",
    "jurisdiction": "ZZ",
    "channel": "email",
    "purpose": "marketing",
    "at": "2026-11-21T10:00:00+01:00",
    "expect": EXPECTED,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_a_case_gets_the_answer_of_the_law_embedded(case: dict[str, Any], memo: Memo):
    assert await play(case, memo) == []


@pytest.mark.parametrize(("lines", "number"), [(SHARED, 59), (OWN, len(OWN))], ids=["shared", "own"])
async def test_every_case_gets_the_answer_of_the_law_from_a_server(server: PolicyEngine, lines: list[str], number: int):
    result = await check_cases(lines, server)

    assert result.differences == ()
    assert (result.passed, result.failed) == (number, 0)


@pytest.mark.parametrize("place", ["DE", "US-CA", "FR", "ZZ"])
@pytest.mark.parametrize("channel", CHANNELS)
async def test_every_answer_names_a_rule(memo: Memo, place: str, channel: str):
    """An answer without a reason is taken for none: it would carry neither rule nor article."""
    for purpose in PURPOSES:
        for context in ({}, {"recipient": "PartnerCo"}, dict.fromkeys(BOOLEANS_OF_CONTEXT, True)):
            case = {"jurisdiction": place, "channel": channel, "purpose": purpose, "context": context}
            facts = fill(template_of(case, memo.policy), NOON).facts
            assert (await memo.judge(facts)).verdict.reasons


async def test_a_case_that_gets_what_it_expects_passes(wasm: PolicyEngine):
    result = await check_cases([json.dumps(STRANGER)], wasm)

    assert (result.passed, result.failed, result.differences) == (1, 0, ())


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"allow": True}, "T-1: allow: expected True, got False"),
        ({"basis": "consent"}, "T-1: basis: expected consent, got none"),
        ({"must_mention": ["XX-01"]}, "T-1: must_mention: XX-01 not among "),
        ({"obligations": ["dance"]}, "T-1: obligations: dance not among "),
        (
            {"retry_after": "2026-11-21T11:00:00+01:00"},
            "T-1: retry_after: expected 2026-11-21 11:00:00+01:00, got None",
        ),
        ({"permit": True}, "T-1: Object contains unknown field `permit`"),
    ],
)
async def test_every_difference_is_told(wasm: PolicyEngine, changes: dict[str, Any], difference: str):
    result = await check_cases([json.dumps(STRANGER | {"expect": EXPECTED | changes})], wasm)

    assert (result.passed, result.failed) == (0, 1)
    assert result.differences[0].startswith(difference)


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        ("{", "line 1: "),
        ("[]", "line 1: "),
        (json.dumps({**STRANGER, "at": None}), "T-1: at: "),
        (json.dumps({**STRANGER, "chanel": "email"}), "T-1: Object contains unknown field"),
        (json.dumps({**STRANGER, "purpose": "x-club"}), "T-1: "),
        (json.dumps({"id": "T-2"}), "T-2: "),
    ],
)
async def test_a_line_that_is_no_case_fails_by_name(wasm: PolicyEngine, line: str, difference: str):
    result = await check_cases([line], wasm)

    assert result.failed == 1
    assert result.differences[0].startswith(difference)
