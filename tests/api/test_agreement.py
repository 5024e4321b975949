"""Whatever is known of somebody, each way to ask gives one answer: through the table of hot routes, past it, in a batch
that reads at length, and in one that has narrow rows. ``EFFORT=34`` asks about more than ten thousand situations."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import psycopg
from hypothesis import HealthCheck, Phase, given, settings

from service import given as shipped
from service.consent import EMPTY, state_out
from service.decisions.artefacts import read_policy
from service.decisions.simulation import Case, described
from service.kernel import TenantId
from service.subjects.directory import from_flags
from tests.api.test_batches import QUESTION, SAME, batch, told
from tests.conftest import Database, FakeClock
from tests.situations import EFFORT, NOON, cases

POLICY = read_policy(shipped.BUILD)
QUESTIONS = (
    QUESTION | {"context": {"sender_identified": True, "optout_in_message": True, "similar_product": True}},
    {"channel": "phone", "purpose": "marketing"},
    {"channel": "web", "purpose": "targeted_ads"},
)
STORE = """
    WITH person AS (
        INSERT INTO subject (tenant, subject, handle, created_at, version, facts, flags)
        VALUES (%(tenant)s, %(subject)s, %(handle)s, now(), 1, %(facts)s, %(flags)s)
    )
    INSERT INTO consent_state (tenant, handle, version, state, updated_at)
    VALUES (%(tenant)s, %(handle)s, 1, %(state)s, now())
"""


def situations(number: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    @settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def collect(case: dict[str, Any]) -> None:
        made.append(case)

    collect()
    return made[:number]


def people_of(database: Database, tenant: TenantId, cases: list[dict[str, Any]]) -> list[str]:
    """Store each case as somebody of whom that is known; every seventh without a state."""
    names = []
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        for number, case in enumerate(cases):
            situation = described(msgspec.convert(case, Case), POLICY, None, NOON).situation
            known = situation.zones.known
            facts = msgspec.structs.replace(situation.facts, time_zone=None if known is None else known.key)
            names.append(name := f"case-{number}")
            row = {
                "tenant": tenant,
                "subject": name,
                "handle": uuid4(),
                "facts": msgspec.json.encode(facts),
                "flags": from_flags(situation.flags),
                "state": state_out(EMPTY if number % 7 == 6 else situation.state),
            }
            connection.execute(STORE, row)
    return names


async def test_each_way_to_ask_gives_one_answer(
    client: httpx.AsyncClient, database: Database, tenant: TenantId, clock: FakeClock
):
    clock.advance(timedelta(days=40))
    names = people_of(database, tenant, situations(100 * EFFORT))
    outcomes = set()

    for question in QUESTIONS:
        at_length, _ = told(await batch(client, *names, question=question))
        narrow, summary = told(await batch(client, *names, question=question))
        assert summary["read_at_length"] < len(names)
        for name, *lines in zip(names, at_length, narrow, strict=True):
            asked = {"subject": name} | question
            hot = await client.post("/v1/decisions", json=asked)
            ordinary = await client.post("/v1/decisions/", json=asked)
            assert (hot.status_code, ordinary.status_code) == (200, 200), hot.text
            single = hot.json()
            assert _but_id(single) == _but_id(ordinary.json())
            outcomes.add(single["decision"])
            effective = [each["rule"] for each in single["reasons"] if each["effect"] == single["decision"]]
            for line in lines:
                assert line["outcome"] == single["decision"], json.dumps([line, single])
                assert {each: line[each] for each in SAME} == {each: single[each] for each in SAME}
                assert line["rules"] == list(dict.fromkeys(effective))

    assert outcomes == {"permit", "deny"}


def _but_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "id"}
