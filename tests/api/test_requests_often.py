"""Those who ask often: what joined and goes on by itself, what may be charged or refused, and what nobody confirmed."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from service import clocks
from service.kernel import TenantId
from tests.api.test_requests import Client, Clients, ask, asked, move, moved, problem
from tests.conftest import Database, FakeClock


async def read(client: Client, request: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"/v1/requests/{request['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("end", "body", "state"),
    [
        pytest.param("withdraw", {}, "received", id="withdrawn"),
        pytest.param("refuse", {"reason": "identity_unproven"}, "received", id="nobody knew who it was"),
        pytest.param("refuse", {"reason": "legal_obligation"}, "duplicate", id="refused for what was asked"),
    ],
)
async def test_who_joined_a_request_that_nobody_answered_goes_on_by_their_own_clock(
    client: Client, clock: FakeClock, end: str, body: dict[str, str], state: str
):
    first = await asked(client, "erasure")
    clock.advance(timedelta(days=10))
    second, third = await asked(client, "erasure"), await asked(client, "erasure")
    assert (second["state"], third["state"]) == ("duplicate", "duplicate")
    clock.advance(timedelta(days=5))
    await moved(client, first, end, **body)

    for joined in (second, third):
        now = await read(client, joined)
        assert (now["state"], now["due_on"]) == (state, "2027-01-04"), "a month from its own receipt"
        assert ("reopen" in [one["move"] for one in now["history"]]) is (state == "received")
    flags = (await client.get("/v1/subjects/anna")).json()["flags"]
    assert flags.get("erasure_pending") is (True if state == "received" else None)
    queue = (await client.get("/v1/requests")).json()["requests"]
    assert len(queue) == (2 if state == "received" else 0)


@pytest.mark.usefixtures("seated")
@pytest.mark.parametrize("right", ["access", "objection"])
async def test_what_was_clear_at_its_receipt_is_clear_when_it_goes_on(client: Client, client_of: Clients, right: str):
    """Their own log-in showed who they are, and an objection asks nobody."""
    asks = client_of(subject="anna") if right == "access" else client
    first, second = [await asked(asks, right, own=True) for _ in range(2)]
    await moved(client, first, "withdraw")

    now = await read(client, second)
    assert now["state"] == "accepted"
    assert [one["move"] for one in now["history"]] == ["receive", "join", "reopen", "verify"]


async def test_nobody_reopens_by_hand(client: Client):
    await asked(client, "access")
    second = await asked(client, "access")

    assert (await move(client, second, "reopen")).status_code == 400
    assert second["moves"] == []


async def test_of_a_withdrawal_and_one_who_joins_at_once_nothing_is_lost(client: Client):
    for number in range(6):
        first = await asked(client, "access", f"s-{number}")
        joined, ended = await asyncio.gather(
            ask(client, "access", f"s-{number}"), move(client, first, "withdraw"), return_exceptions=False
        )
        assert (joined.status_code, ended.status_code) == (201, 200)
        assert (await read(client, joined.json()))["state"] == "received"


async def often(client: Client, clock: FakeClock, times: int, right: str = "access", **more: Any) -> dict[str, Any]:
    """Ask so often, each time answered, a month apart; return the last request, as staff sees it."""
    for number in range(times):
        request = await asked(client, right, **more)
        if number < times - 1:
            for name, body in (("verify", {"reason": "identity_service"}), ("execute", {}), ("complete", {})):
                request = await moved(client, request, name, **body)
            clock.advance(timedelta(days=30))
    return await read(client, request)


@pytest.mark.parametrize(
    ("law", "times", "excess"),
    [
        ("CCPA", 2, {"counted": 2, "free": 2, "exceeds": False, "article": "Civ. Code 1798.130(b)"}),
        ("CCPA", 3, {"counted": 3, "free": 2, "exceeds": True, "refusals": ["too_frequent"]}),
        ("VCDPA", 3, {"counted": 3, "exceeds": True, "fees": ["too_frequent", "excessive"]}),
        ("GDPR", 3, {"counted": 3, "free": None, "exceeds": None, "fees": ["manifestly_unfounded", "excessive"]}),
    ],
)
async def test_staff_sees_how_often_somebody_asked_and_what_the_law_allows_then(
    client: Client, clock: FakeClock, law: str, times: int, excess: dict[str, Any]
):
    """Civ. Code 1798.130(b); Va. Code 59.1-577(B)(3); GDPR Art. 12(5). Nothing is refused or charged by itself."""
    request = await often(client, clock, times, law=law)

    assert {name: request["excess"][name] for name in excess} == excess
    assert (request["state"], request["excess"]["months"]) == ("received", 12)


async def test_what_is_a_year_ago_or_came_to_nothing_is_not_counted(client: Client, clock: FakeClock):
    old = await asked(client, "access", law="CCPA")
    for name, body in (("verify", {"reason": "identity_service"}), ("execute", {}), ("complete", {})):
        old = await moved(client, old, name, **body)
    clock.advance(timedelta(days=300))
    for end, body in (("withdraw", {}), ("refuse", {"reason": "identity_unproven"})):
        await moved(client, await asked(client, "know_categories", law="CCPA"), end, **body)
    assert (await read(client, await asked(client, "portability", law="CCPA")))["excess"]["counted"] == 2
    clock.advance(timedelta(days=66))

    latest = await asked(client, "access", law="CCPA")
    assert (await read(client, latest))["excess"]["counted"] == 2, "the first was received a year ago"


async def test_the_person_is_not_shown_what_staff_has_to_judge(client: Client, client_of: Clients):
    request = await asked(client, "access")

    assert (await read(client_of(subject="anna"), request))["excess"] is None
    assert (await read(client, request))["excess"]["counted"] == 1


async def test_a_fee_has_a_ground_and_in_britain_the_month_begins_when_it_is_paid(client: Client, clock: FakeClock):
    """UK GDPR Art. 12A(2), DPA 2018 s.54(2)(b)."""
    request = await asked(client, "access", law="UK_GDPR", place="GB-ENG", time_zone="Europe/London")
    assert problem(await move(client, request, "fee-paid")) == (409, "move_not_allowed")
    assert problem(await move(client, request, "ask-fee", reason="greed")) == (409, "ground_unknown")
    request = await moved(client, request, "ask-fee", reason="excessive")
    assert (request["due_on"], request["state"]) == (None, "received")
    clock.advance(timedelta(days=10))
    request = await moved(client, request, "fee-paid")

    assert request["due_on"] == "2027-01-04"
    assert problem(await move(client, request, "ask-fee", reason="excessive")) == (409, "move_not_allowed")
    for law, right in (("LGPD", "access"), ("CCPA", "opt_out_of_sale")):
        other = await asked(client, right, law=law)
        assert problem(await move(client, other, "ask-fee", reason="excessive")) == (409, "ground_unknown")


async def test_hundreds_of_requests_of_one_person_are_all_taken_in(client: Client):
    """No rate limit stands before a statutory right."""
    answers = [await ask(client, "objection", via=via) for _ in range(30) for via in ("email", "phone", "post")]

    assert {answer.status_code for answer in answers} == {201}


async def test_what_nobody_confirmed_in_time_is_told_once(
    client: Client, clock: FakeClock, database: Database, tenant: TenantId
):
    """11 CCR 7021(a): ten business days."""
    late, confirmed, answered = [
        await asked(client, right, law="CCPA", place="US-CA", time_zone="America/Los_Angeles")
        for right in ("access", "erasure", "rectification")
    ]
    assert late["acknowledge_by"] == "2026-12-07"
    await moved(client, confirmed, "acknowledge")
    await moved(client, answered, "refuse", reason="data_accurate")

    known = "SELECT object_id, type FROM outbox WHERE tenant = %s AND type LIKE 'request.%%unconfirmed' ORDER BY at"
    expected: list[tuple[str, str]] = []
    for day, word in (
        ("2026-12-04T22:35:59+00:00", None),
        ("2026-12-04T22:36:00+00:00", "nearly_unconfirmed"),
        ("2026-12-08T07:59:59+00:00", None),
        ("2026-12-08T08:00:00+00:00", "unconfirmed"),
        ("2026-12-20T08:00:00+00:00", None),
    ):
        clock.now = clock.now.fromisoformat(day)
        await clocks.tell(database.urls.worker, clock())
        expected += [(late["id"], f"request.{word}")] if word else []
        with psycopg.connect(database.urls.owner) as connection:
            assert connection.execute(known, (tenant,)).fetchall() == expected, day
    assert problem(await move(client, confirmed | {"version": 2}, "acknowledge")) == (409, "move_not_allowed")


async def test_a_request_that_todays_tables_do_not_know_hides_no_other(
    client: Client, database: Database, tenant: TenantId
):
    odd, plain = await asked(client, "access"), await asked(client, "erasure")
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE request SET law = 'HAMMURABI' WHERE id = %s", (odd["id"],))

    answer = await client.get("/v1/requests")
    assert answer.status_code == 200, answer.text
    shown = {one["id"]: one for one in answer.json()["requests"]}
    assert (shown[odd["id"]]["odd"], shown[plain["id"]]["odd"]) == ("unknown_law", None)
    assert (shown[odd["id"]]["due_on"], shown[odd["id"]]["moves"]) == (odd["due_on"], [])
    assert (await read(client, odd))["odd"] == "unknown_law"
    assert problem(await move(client, odd, "withdraw")) == (409, "unknown_law")


async def test_people_see_in_their_timeline_what_became_of_their_requests(client: Client, client_of: Clients):
    request = await asked(client, "access")
    await moved(client, request, "verify", reason="staff_decision")
    anna: httpx.AsyncClient = client_of(subject="anna")

    items = (await anna.get("/v1/subjects/anna/timeline", params={"kind": "request"})).json()["items"]
    assert [item["event"] for item in items] == ["request.verified", "request.received"]
    assert "actor" not in items[0]


async def test_what_is_due_before_the_open_one_is_not_hidden_by_it(client: Client, clock: FakeClock):
    """A letter that lay about was received first, and is entered last; its own time is over."""
    late = (clock() - timedelta(days=60)).isoformat()
    first = await asked(client, "access")
    letter = await asked(client, "access", received_at=late)
    after = await asked(client, "access")

    assert (first["state"], letter["state"], letter["overdue"]) == ("received", "received", True)
    assert (after["state"], after["joins"]) == ("duplicate", letter["id"])
    overdue = (await client.get("/v1/requests", params={"overdue": "true"})).json()["requests"]
    assert [each["id"] for each in overdue] == [letter["id"]]


async def test_nobody_joins_a_request_whose_clock_stands(client: Client):
    """What is asked of whoever sent the first says nothing about who sent the second."""
    first = await asked(client, "access", law="UK_GDPR")
    await moved(client, first, "ask-identity")

    second = await asked(client, "access", law="UK_GDPR")

    assert (second["state"], second["due_on"] is not None) == ("received", True)
