"""Who of everybody may be contacted: a list of those who may, and counts of those who may not, by rule."""

import asyncio
import csv
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pytest
from litestar import Litestar

from service.decisions import audience_api, audiences
from service.decisions.audience_api import Forms
from service.kernel import TenantId
from service.web.lines import ARROW
from service.web.problems import Refusal
from tests.api.test_batches import ACTS, QUESTION, Speaking, chunks
from tests.api.test_decisions import FACTS, OPT_IN, has
from tests.api.test_reveals import kind
from tests.conftest import Database, FakeClock
from tests.isolated import Clients

PLACES = ("DE", "US-CA", "US-TX", "FR")


@pytest.fixture
async def people(client: httpx.AsyncClient) -> list[str]:
    """Eight people in four places; the even ones agreed, and half are customers."""
    names = [f"p{number}" for number in range(8)]
    for number, name in enumerate(names):
        facts = FACTS | {"residence": PLACES[number % 4], "is_customer": number < 4}
        await client.put(f"/v1/subjects/{name}", json=facts)
        if number % 2 == 0:
            await has(client, name, OPT_IN)
    return names


@pytest.fixture
def by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiences, "PEOPLE", 2)


async def listed(client: httpx.AsyncClient, **asked: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    answer = await client.post("/v1/audiences?explain=sample", json=QUESTION | asked)
    assert answer.status_code == 200, answer.text
    *lines, last = map(json.loads, answer.text.splitlines())
    return lines, last["summary"]


def names_of(lines: list[dict[str, Any]]) -> list[str]:
    return [line["subject"] for line in lines]


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_whoever_is_listed_is_permitted_and_nobody_else(
    client: httpx.AsyncClient, clock: FakeClock, by_two: None, channel: str
):
    names = [f"q{number}" for number in range(24)]
    for number, name in enumerate(names):
        facts = {"residence": PLACES[number % 4], "time_zone": "Europe/Berlin", "age": 40}
        await client.put(f"/v1/subjects/{name}", json=facts)
        await has(client, name, *(act for place, act in enumerate(ACTS) if number * 5 >> place & 1))
    for days in (0, 3):
        clock.advance(timedelta(days=days))
        lines, summary = await listed(client, channel=channel)
        singles = {}
        for name in names:
            asked = QUESTION | {"channel": channel, "subject": name}
            singles[name] = (await client.post("/v1/decisions", json=asked)).json()

        assert names_of(lines) == sorted(name for name in names if singles[name]["decision"] == "permit")
        for line in lines:
            single = singles[line["subject"]]
            assert {each: line[each] for each in ("at", "valid_until", "obligations")} == {
                each: single[each] for each in ("at", "valid_until", "obligations")
            }
        denied = [
            dict.fromkeys(each["rule"] for each in single["reasons"] if each["effect"] == "deny")
            for single in singles.values()
            if single["decision"] == "deny"
        ]
        assert summary["rules"] == Counter(rule for each in denied for rule in each)
        assert (summary["subjects"], summary["listed"], summary["excluded"]) == (24, len(lines), len(denied))


async def test_the_excluded_are_counted_and_some_are_shown_by_rule(client: httpx.AsyncClient, people: list[str]):
    lines, summary = await listed(client)

    assert {"p0", "p4"} <= set(names_of(lines))
    excluded = [name for name in people if name not in names_of(lines)]
    assert summary["subjects"] == len(lines) + len(excluded) + summary["unavailable"] == len(people)
    assert {name for sample in summary["sample"].values() for name in sample} == set(excluded)
    assert summary["sample"].keys() == summary["rules"].keys()
    for rule, sample in summary["sample"].items():
        assert len(sample) == min(summary["rules"][rule], 5)
    plain = await client.post("/v1/audiences", json=QUESTION)
    assert "sample" not in json.loads(plain.text.splitlines()[-1])["summary"]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, range(8)),
        ({"residence": "DE"}, (0, 4)),
        ({"residence": "US"}, (1, 2, 5, 6)),
        ({"residence": "US-CA"}, (1, 5)),
        ({"residence": ["DE", "US-TX"]}, (0, 2, 4, 6)),
        ({"residence": "GB"}, ()),
        ({"is_customer": True}, range(4)),
        ({"is_customer": False, "residence": "FR"}, (7,)),
        ({"after": "p5"}, (6, 7)),
        ({"after": "p7"}, ()),
    ],
)
async def test_a_population_is_those_of_whom_it_is_known(
    client: httpx.AsyncClient, people: list[str], by_two: None, wanted: dict[str, Any], numbers: Any
):
    await client.put("/v1/subjects/p90", json={"previous_residence": "FR", "relationship": '"residence":"GB"'})
    lines, summary = await listed(client, **wanted)

    expected = {f"p{number}" for number in numbers} | ({"p90"} if wanted.keys() <= {"after"} else set())
    assert {name for sample in summary["sample"].values() for name in sample} | set(names_of(lines)) == expected
    assert summary["subjects"] == len(expected)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (QUESTION | {"residence": "de"}, 400, "invalid_request"),
        (QUESTION | {"residence": []}, 400, "invalid_request"),
        (QUESTION | {"residence": ["DE", 7]}, 400, "invalid_request"),
        (QUESTION | {"is_customer": "yes"}, 400, "invalid_request"),
        (QUESTION | {"after": "ann@mail.example"}, 400, "invalid_request"),
        (QUESTION | {"brand": "x"}, 400, "invalid_request"),
        ({"channel": "email"}, 400, "invalid_request"),
        (QUESTION | {"residence": ["DE", "XX"]}, 409, "unknown_jurisdiction"),
        (QUESTION | {"purpose": "x-unheard"}, 409, "unknown_purpose"),
        (QUESTION | {"context": {"plausible_time_zones": ["Europe/Bonn"]}}, 409, "unknown_time_zone"),
    ],
)
async def test_what_can_not_be_asked_is_refused_as_a_whole(
    client: httpx.AsyncClient, people: list[str], body: dict[str, Any], status: int, code: str
):
    answer = await client.post("/v1/audiences", json=body)

    assert kind(answer) == (status, code)
    assert "ann@" not in answer.text
    assert kind(await client.post("/v1/audiences?explain=all", json=QUESTION)) == (400, "invalid_request")


async def test_rows_say_the_same_and_no_cell_is_a_formula(client: httpx.AsyncClient, people: list[str]):
    await client.put("/v1/subjects/-1", json=FACTS)
    await has(client, "-1", OPT_IN)
    lines, summary = await listed(client)
    answer = await client.post(
        "/v1/audiences?explain=sample", json=QUESTION, headers={"accept": "text/csv;q=0.9, image/png"}
    )
    *rows, last = csv.DictReader(answer.text.splitlines())

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["subject"] for row in rows] == ["'-1", *names_of(lines)[1:]]
    assert [row["obligations"].split() for row in rows] == [line["obligations"] for line in lines]
    assert [(row["at"], row["valid_until"]) for row in rows] == [
        (line["at"], line["valid_until"] or "") for line in lines
    ]
    assert last["subject"] == ""
    assert json.loads(last["summary"])["summary"] == summary | {"read_at_length": 0}
    for row in rows:
        decision = (await client.get(f"/v1/decisions/{row['id']}")).json()
        assert decision["decision"] == "permit"


@pytest.mark.parametrize("together", [1, 2, 1_000])
async def test_record_batches_say_the_same(
    client: httpx.AsyncClient, people: list[str], together: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audience_api, "WRITTEN", together)
    lines, summary = await listed(client)
    answer = await client.post("/v1/audiences?explain=sample", json=QUESTION, headers={"accept": ARROW})
    with pa.ipc.open_stream(answer.content) as stream:
        assert [str(kind) for kind in stream.schema.types] == [
            *["string", "string", "timestamp[us, tz=UTC]", "list<item: string>", "timestamp[us, tz=UTC]", "string"],
        ]
        table = stream.read_all()
    *rows, last = table.to_pylist()

    assert len(table.to_batches()) == -(-len(rows) // together) + 1
    assert answer.content.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    shown = [(each["subject"], each["at"], each["obligations"], each["valid_until"]) for each in rows]
    assert shown == [
        (
            line["subject"],
            datetime.fromisoformat(line["at"]),
            line["obligations"],
            line["valid_until"] and datetime.fromisoformat(line["valid_until"]),
        )
        for line in lines
    ]
    assert {each["summary"] for each in rows} == {None}
    assert {name for name, value in last.items() if value is not None} == {"summary"}
    assert json.loads(last["summary"])["summary"] == summary | {"read_at_length": 0}
    for row in rows:
        decision = (await client.get(f"/v1/decisions/{row['id']}")).json()
        assert decision["decision"] == "permit"


async def test_record_batches_of_nobody_have_the_summary(client: httpx.AsyncClient):
    answer = await client.post("/v1/audiences", json=QUESTION, headers={"accept": ARROW})

    [last] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    assert json.loads(last["summary"])["summary"]["subjects"] == 0


def test_without_its_extra_arrow_is_refused_and_says_what_is_missing():
    forms = Forms(arrow=None)

    with pytest.raises(Refusal, match="not_acceptable") as refused:
        forms.accepted(ARROW)
    assert refused.value.detail.endswith(f"For {ARROW} the server lacks the extra `arrow`.")
    assert forms.accepted(f"{ARROW}, text/csv").kind == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("*/*", "application/x-ndjson"),
        ("application/*", "application/x-ndjson"),
        ("text/*", "text/csv; charset=utf-8"),
        ("*/*, TEXT/CSV", "text/csv; charset=utf-8"),
        ("image/png, application/vnd.apache.arrow.stream;q=0.1", "application/vnd.apache.arrow.stream"),
        ("application/vnd.apache.arrow.file", "application/problem+json"),
        (";q=", "application/problem+json"),
    ],
)
async def test_the_client_says_how_it_is_told(client: httpx.AsyncClient, people: list[str], accept: str, told: str):
    answer = await client.post("/v1/audiences", json=QUESTION, headers={"accept": accept})

    assert answer.headers["content-type"] == told
    if answer.status_code != 200:
        assert kind(answer) == (406, "not_acceptable")


async def test_only_the_scope_for_it_opens_it_and_a_tenant_has_its_own_people(
    client_of: Clients, client: httpx.AsyncClient, people: list[str], add_tenant: Any
):
    assert kind(await client_of(scope="decide records:export").post("/v1/audiences", json=QUESTION)) == (
        403,
        "insufficient_scope",
    )
    lines, _ = await listed(client_of(scope="audiences"))
    assert "p0" in names_of(lines)
    _, summary = await listed(client_of(tenant=add_tenant()))
    assert summary["subjects"] == 0


async def test_a_merged_person_is_listed_once(client: httpx.AsyncClient, people: list[str]):
    await client.put("/v1/subjects/p8", json=FACTS | {"residence": "DE", "is_customer": True})
    merged = await client.post("/v1/subjects/p0/merge", json={"with": "p8", "same": True})
    assert merged.status_code == 200, merged.text
    _, summary = await listed(client)

    assert summary["subjects"] == len(people)


async def test_damaged_facts_list_nobody_and_harm_no_other(
    client: httpx.AsyncClient, people: list[str], database: Database, tenant: TenantId
):
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            "UPDATE subject SET facts = substr(facts, 1, 30) || '\\xff' WHERE tenant = %s AND subject = 'p0'", (tenant,)
        )
    lines, summary = await listed(client)
    assert "p0" not in names_of(lines)
    assert "p4" in names_of(lines)
    assert summary["unavailable"] == 1
    assert summary["subjects"] == summary["listed"] + summary["excluded"] + 1


class Asking(Speaking):
    path = "/v1/audiences"
    kind = b"application/json"


async def test_whoever_withdraws_or_comes_while_it_runs_counts_as_of_their_line(
    client: httpx.AsyncClient, people: list[str], clock: FakeClock, by_two: None, monkeypatch: pytest.MonkeyPatch
):
    clock.advance(timedelta(days=3))
    walk = audiences.DecideAudience._walk

    async def changing(*given: Any) -> Any:
        number = 0
        async for subjects in walk(*given):
            if number == 1:
                clock.advance(timedelta(seconds=1))
                await has(client, "p0", {**OPT_IN, "action": "opt_out", "ts": clock().isoformat()})
                await has(client, "p4", {**OPT_IN, "action": "opt_out", "ts": clock().isoformat()})
                await client.put("/v1/subjects/p9", json=FACTS)
                await has(client, "p9", OPT_IN | {"ts": clock().isoformat()})
                clock.advance(timedelta(seconds=1))
            number += 1
            yield subjects

    monkeypatch.setattr(audiences.DecideAudience, "_walk", changing)
    lines, summary = await listed(client, residence="DE")

    assert names_of(lines) == ["p0", "p9"]
    assert lines[0]["at"] < lines[1]["at"]
    assert summary["subjects"] == 3


async def test_who_goes_away_ends_the_work(
    site: Litestar,
    client: httpx.AsyncClient,
    people: list[str],
    database: Database,
    tenant: TenantId,
    monkeypatch: pytest.MonkeyPatch,
    log: Any,
):
    """With one chunk read, one sent, one held up and one answered meanwhile."""
    monkeypatch.setattr(audiences, "PEOPLE", 1)
    asking = Asking(site, client.headers["authorization"])
    asking.say(json.dumps(QUESTION).encode())
    asking.say(b"")
    first, *_ = await asking.lines(1)
    asking.say(None)
    assert asking.work is not None
    await asyncio.wait_for(asking.work, 10)

    assert first["subject"] == "p0"
    assert len(chunks(database, tenant)) <= 4 < len(people)
    assert b'"bug"' not in log.getvalue()


async def test_what_is_not_on_the_record_is_not_told(
    client: httpx.AsyncClient, people: list[str], database: Database, by_two: None, monkeypatch: pytest.MonkeyPatch
):
    walk = audiences.DecideAudience._walk

    async def cut(*given: Any) -> Any:
        async for subjects in walk(*given):
            if subjects[0] == "p6":  # the first were told, and those before it may be under way
                with psycopg.connect(database.urls.admin, autocommit=True) as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
            yield subjects

    with monkeypatch.context() as patched:
        patched.setattr(audiences.DecideAudience, "_walk", cut)
        answer = await client.post("/v1/audiences", json=QUESTION)
    *lines, last = map(json.loads, answer.text.splitlines())

    assert "p0" in names_of(lines)
    assert last["error"]["code"] == "decision_unavailable"
    assert last["error"]["after"] in {"p3", "p5"}
    rest, _ = await listed(client, after=last["error"]["after"])
    whole, _ = await listed(client)
    assert names_of(lines) + names_of(rest) == names_of(whole)
