"""The law as examples, through both engines."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.decisions import Memo, PolicyEngine, check_cases
from service.decisions.cases import play
from service.decisions.facts import fill
from tests.situations import BOOLEANS_OF_CONTEXT, CHANNELS, NOON, PURPOSES, table, template_of

FOLDER = Path(__file__).parent / "cases"
FILES = {file.stem: file.read_text().splitlines() for file in sorted(FOLDER.glob("*.jsonl"))}
CASES = [json.loads(line) for lines in FILES.values() for line in lines]
ONE_OF_EACH_LAW = sorted({" ".join(place["regimes"]): code for code, place in table("places").items()}.values())
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


@pytest.mark.parametrize("name", FILES)
async def test_every_case_gets_the_answer_of_the_law_from_a_server(server: PolicyEngine, name: str):
    result = await check_cases(FILES[name], server)

    assert result.differences == ()
    assert (result.passed, result.failed) == (len(FILES[name]), 0)


def test_the_cases_that_all_share_are_all_here():
    assert len(FILES["shared"]) == 231


def test_every_case_has_a_name_of_its_own():
    assert len({case["id"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("place", ONE_OF_EACH_LAW)
@pytest.mark.parametrize("channel", CHANNELS)
async def test_every_answer_names_a_rule(memo: Memo, place: str, channel: str):
    """An answer without a reason is taken for none: it would carry neither rule nor article."""
    for purpose in PURPOSES:
        for context in ({}, {"recipient": "PartnerCo"}, dict.fromkeys(BOOLEANS_OF_CONTEXT, True)):
            case = {"jurisdiction": place, "channel": channel, "purpose": purpose, "context": context}
            facts = fill(template_of(case, memo.policy), NOON).facts
            assert (await memo.judge(facts)).verdict.reasons


@pytest.mark.parametrize(
    "state",
    ["CO", "CT", "DE", "IA", "IN", "KY", "MD", "MN", "MT", "NE", "NH", "NJ", "OR", "RI", "TN", "TX", "UT", "VA"],
)
async def test_a_state_lets_everyone_opt_out_of_profiling_but_for_iowa_and_utah(memo: Memo, state: str):
    """There federal law alone denies. A case can't say it: it tells which rules are named, and not what they do."""
    refusal = {"ts": NOON.isoformat(), "channel": "web", "purpose": "profiling", "action": "opt_out"}
    case = {"jurisdiction": f"US-{state}", "channel": "web", "purpose": "profiling", "records": [refusal]}
    verdict = (await memo.judge(fill(template_of(case, memo.policy), NOON).facts)).verdict

    denying = {reason.rule for reason in verdict.reasons if reason.effect == "deny"}
    assert denying == {"ENG-OPT-01"} | ({"USST-OPT-01"} if state not in {"IA", "UT"} else set())


async def test_a_case_that_gets_what_it_expects_passes(wasm: PolicyEngine):
    result = await check_cases([json.dumps(STRANGER)], wasm)

    assert (result.passed, result.failed, result.differences) == (1, 0, ())


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"allow": True}, "T-1: allow: expected True, got False"),
        ({"basis": "consent"}, "T-1: basis: expected consent, got none"),
        ({"must_mention": ["XX-01"]}, "T-1: must_mention: XX-01 not among "),
        ({"obligations": ["dance"]}, "T-1: obligations: dance missing, there are none"),
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
