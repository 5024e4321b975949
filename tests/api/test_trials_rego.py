"""A candidate in Rego: compiled apart, with no more than the law itself needs, and refused in OPA's words."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service import candidates
from service.candidates import Bench
from service.decisions import DecisionUnavailable, ordinary
from service.decisions.artefacts import read_policy
from service.given import BUILD, POLICIES
from service.kernel import Unavailable
from service.settings import Settings
from service.trials import Candidate
from tests.api.test_trials import LONG, PATH, ask, person, start, tried
from tests.conftest import Database, FakeClock
from tests.toy_policy import opa

DORMANCY = (Path(__file__).parents[2] / "policies/volens/germany/dormancy.rego").read_text()
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NAME = "volens/gdpr/candidate.rego"
RULE = """package volens.gdpr

import data.volens.situation

# METADATA
# title: Nobody gets mail
# scope: rule
# custom:
#   id: {rule}
#   citation: none
#   stage: 4
#   confidence: P
deny contains {{"rule": "{rule}", "stage": 4}} if {{
	situation.family
	{condition}
}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path), opa_binary=str(opa()))


def rule(condition: str = "true", name: str = "EU-OBJ-01") -> dict[str, str]:
    return {NAME: RULE.format(condition=condition, rule=name)}


async def refused(client: httpx.AsyncClient, modules: dict[str, str]) -> list[Any]:
    answer = await start(client, 400, modules=modules, over=LONG)
    assert answer.json()["type"].endswith("/candidate_refused")
    assert answer.json()["errors"], answer.text
    return list(answer.json()["errors"])


async def test_a_new_rule_is_tried_and_governs_nobody(client: httpx.AsyncClient, clock: FakeClock):
    await person(client, "anna", "2026-11-01T12:00:00Z")
    decided = await ask(client, "anna")
    clock.advance(timedelta(seconds=1))
    trial, changes = await tried(client, modules=rule(), over=LONG)

    assert [(each["decision"], each["rules"]) for each in changes] == [(decided["id"], ["EU-OBJ-01"])]
    assert trial["result"]["to_deny"] == 1
    assert (await ask(client, "anna"))["decision"] == "permit"


async def test_a_rule_of_the_catalogue_that_nobody_wrote_yet_can_be_tried(client: httpx.AsyncClient):
    over = {"subjects": {"channel": "email", "purpose": "marketing"}}
    await person(client, "anna", "2026-11-01T12:00:00Z")
    _, changes = await tried(client, modules=rule(name="EU-DSR-01"), over=over)

    assert [change["rules"] for change in changes] == [["EU-DSR-01"]]


async def test_a_file_can_be_replaced(client: httpx.AsyncClient):
    await person(client, "old", "2025-05-20T12:00:00Z")
    over = {"subjects": {"channel": "email", "purpose": "marketing"}}
    shorter = DORMANCY.replace("data.volens.periods.stale.DE", "12")
    for text, denied in ((DORMANCY, []), (shorter, ["old"])):
        _, changes = await tried(client, modules={"volens/germany/dormancy.rego": text}, over=over)
        assert [change["subject"] for change in changes] == denied


async def test_a_file_that_compares_months_is_not_tried_on_the_log(client: httpx.AsyncClient):
    answer = await start(client, 409, modules={"volens/germany/dormancy.rego": DORMANCY}, over=LONG)

    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/modules/volens~1germany~1dormancy.rego"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("situation.family ==", "rego_parse_error"),
        ("count(nowhere) == 1", "nowhere"),
        ("input.question.chanel == 1", "chanel"),
        ("unused := 1", "unused"),
        ('sprintf("%d", [1]) == "1"', "sprintf"),
        ("time.now_ns() > 1", "time.now_ns"),
        ('http.send({"method": "get", "url": "http://localhost"}).status_code == 200', "http.send"),
        ("opa.runtime().env.HOME", "opa.runtime"),
        ('regex.match("a", "b")', "regex.match"),
    ],
)  # fmt: skip
async def test_what_does_not_compile_is_refused_with_opas_message_and_line(
    client: httpx.AsyncClient, condition: str, said: str
):
    faults = await refused(client, rule(condition))

    assert {fault["pointer"] for fault in faults} == {f"/modules/{NAME.replace('/', '~1')}"}
    assert any(said in fault["detail"] for fault in faults), faults
    assert all(fault["detail"].startswith("line 1") for fault in faults)


async def test_a_rule_that_is_not_in_the_catalogue_is_refused(client: httpx.AsyncClient):
    (fault,) = await refused(client, rule(name="EU-NEW-01"))

    assert fault["detail"] == "line 5: the catalogue has no rule of this id"


async def test_what_needs_more_than_its_share_of_time_is_refused(client: httpx.AsyncClient):
    many = "many := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]"
    each = "; ".join(f"some {name} in many" for name in "abcdefgh")
    condition = f"{many}\n\tcount({{1 | {each}; a + b + c + d + e + f + g + h == -1}}) == 0".replace("a + b", "a - b")
    condition = condition.replace(" + ", " - ")
    faults = await refused(client, rule(condition))

    assert "share of time" in faults[0]["detail"]


async def test_a_program_that_is_no_opa_is_a_fault_of_the_service_and_not_of_the_candidate(
    settings: Settings, database: Database, clock: FakeClock, engine: AsyncEngine
):
    bench = Bench(POLICIES, Path("/bin/false"), engine)
    with pytest.raises(Unavailable):
        async with bench.opened(read_policy(BUILD).revision, Candidate(modules=rule())):
            pass


async def test_a_candidate_that_is_slow_all_along_is_stopped(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "PATIENCE", 0.0)
    monkeypatch.setattr(candidates, "MEAN", 0.0)
    policy = read_policy(BUILD)
    bench = Bench(POLICIES, None, engine)
    async with bench.opened(policy.revision, Candidate()) as judge:
        with pytest.raises(DecisionUnavailable, match="share of time"):
            await judge.verdicts(ordinary(policy, NOON))


async def test_whoever_stops_waiting_for_a_judge_leaves_no_thread_behind(engine: AsyncEngine):
    policy = read_policy(BUILD)
    async with Bench(POLICIES, None, engine).opened(policy.revision, Candidate()) as judge:
        judging = asyncio.create_task(judge.verdicts(ordinary(policy, NOON) * 50))
        await asyncio.sleep(0.05)
        judging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await judging
        assert len(await judge.verdicts(ordinary(policy, NOON)[:2])) == 2, "nobody else asks it any more"


async def test_a_module_elsewhere_than_in_the_bundle_is_no_module(client: httpx.AsyncClient):
    for path in ("/etc/passwd", "volens/../../x.rego", "volens/gdpr/x.rego/../y.rego", "data.json", "volens/x.rego\n"):
        answer = await client.post(PATH, json={"modules": {path: "package volens"}, "over": LONG})
        assert answer.status_code == 400, path
