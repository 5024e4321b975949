"""What the database holds of requests: no date can be edited away, and the worker tells once each what is late."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from service import clocks, given
from service.consent import StoreRecords
from service.decisions.artefacts import read_policy
from service.desk import Safe, desk, statutes
from service.kernel import SubjectId
from service.requests.case import Said, Via, Wish
from service.requests.lifecycle import Move
from service.requests.rights import Right
from service.telemetry import Telemetry

ANNA = SubjectId("anna")
POLICY = read_policy(given.BUILD)
UNUSED: Any = None
"""The vault, and what sends codes: nobody shows who they are here."""
KEPT = ("id", "handle", "right_name", "law", "assumed", "via", "asked", "joins", "place", "time_zone", "received_at")
MOVING = ("state", "version", "open", "mark", "due_on", "due_at")


@pytest.fixture
def front(begin, clock, new_id):
    append = StoreRecords(begin, clock, POLICY.vocabulary)
    safe = Safe(keys=UNUSED, fields=UNUSED, open_values=UNUSED, reveals=UNUSED, nonce=UNUSED)
    return desk(begin, clock, new_id, statutes(given.BUILD, POLICY), append, safe, UNUSED)


@pytest.fixture
def opened(front, caller, new_id):
    async def opened(right=Right.ACCESS, subject=ANNA):
        said = Said(via=Via.PORTAL, place="DE", time_zone="Europe/Berlin")
        seen, _ = await front["open_request"](Wish(id=new_id(), subject=subject, right=right, said=said), by=caller)
        return seen.request.id

    return opened


@pytest.fixture
def as_app(database, tenant):
    """Runs a statement with the rights of the application, in the tenant's name."""
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        yield connection.execute


@pytest.fixture
def as_owner(database):
    with psycopg.connect(database.urls.owner, autocommit=True) as connection:
        yield connection.execute


@pytest.mark.parametrize("column", [*KEPT, "entered_at", "told"])
async def test_the_application_can_not_change_what_was_received(as_app, opened, column):
    await opened()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        as_app(f"UPDATE request SET {column} = {column}")


@pytest.mark.parametrize("role", ["as_app", "as_owner"])
@pytest.mark.parametrize(
    "change", ["due_at = now() + interval '1 year'", "open = false", "state = 'closed'", "version = version + 1"]
)
async def test_nobody_moves_a_request_or_its_date_without_a_move_beside_it(request, opened, role, change):
    await opened()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="by its moves"):
        request.getfixturevalue(role)(f"UPDATE request SET {change}")


@pytest.mark.parametrize("change", ["UPDATE {} SET at = now()", "DELETE FROM {}", "TRUNCATE {}"])
async def test_what_happened_to_a_request_can_be_changed_by_nobody(as_app, as_owner, opened, change):
    await opened()
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        as_app(change.format("request_event"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
        as_owner(change.format("request_event"))


async def test_an_overdue_request_is_overdue_whatever_was_noted_of_it(front, caller, clock, opened, database):
    """Somebody who holds the server itself may edit the note of the date: the answer doesn't rest on it."""
    request_id = await opened()
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE request SET due_at = '2090-01-01Z', due_on = '2090-01-01' WHERE id = %s", (request_id,)
        )
    clock.advance(timedelta(days=40))

    seen = await front["read_request"](request_id, by=caller)
    assert (str(seen.standing.due_on), seen.overdue) == ("2026-12-21", True)


async def test_of_those_who_ask_at_once_all_but_one_join(as_app, opened):
    await asyncio.gather(*(opened() for _ in range(6)))

    states = [state for (state,) in as_app("SELECT state FROM request").fetchall()]
    assert sorted(states) == ["duplicate"] * 5 + ["received"]


async def test_of_two_moves_at_once_one_counts(front, caller, opened, as_app):
    request_id = await opened()
    call = front["move_request"]
    done = await asyncio.gather(
        *(
            call(request_id, move, version=1, reason=None, authority=None, by=caller)
            for move in (Move.ASK_IDENTITY, Move.WITHDRAW, Move.ASK_IDENTITY)
        ),
        return_exceptions=True,
    )

    assert sum(not isinstance(outcome, Exception) for outcome in done) == 1
    assert as_app("SELECT count(*) FROM request_event").fetchone() == (2,)


def told(as_app, request_id: UUID) -> list[str]:
    rows = as_app(
        "SELECT type FROM outbox WHERE object_id = %s AND type LIKE 'request.%%over%%' ORDER BY id", (str(request_id),)
    )
    return [name.removeprefix("request.") for (name,) in rows]


@pytest.fixture
def tell(database):
    async def tell(now: datetime, **more: int) -> int:
        return await clocks.tell(database.urls.worker, now, **more)

    return tell


async def test_each_share_of_the_period_is_told_once(tell, as_app, opened):
    request_id = await opened()
    start, due = datetime(2026, 11, 21, 9, tzinfo=UTC), datetime(2026, 12, 21, 23, tzinfo=UTC)

    expected = []
    for share, word in ((0.49, None), (0.5, "half_over"), (0.79, None), (0.8, "nearly_over"), (1, "overdue")):
        expected += [word] if word else []
        for _ in range(2):
            await tell(start + (due - start) * share + timedelta(seconds=1 if word else 0))
            assert told(as_app, request_id) == expected


async def test_a_clock_that_jumps_tells_each_share_once_all_the_same(tell, as_app, opened):
    request_id = await opened()
    far, back = datetime(2027, 6, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)

    for now in (far, back, far):
        await tell(now)

    assert sorted(told(as_app, request_id)) == ["half_over", "nearly_over", "overdue"]


async def test_an_extended_period_is_told_anew_and_an_answered_one_no_more(tell, front, caller, clock, as_app, opened):
    request_id, answered = await opened(), await opened(Right.ERASURE)
    move = front["move_request"]
    await move(answered, Move.REFUSE, version=1, reason="excessive", authority=None, by=caller)
    clock.now = datetime(2026, 12, 10, tzinfo=UTC)
    await tell(clock.now)
    await move(request_id, Move.EXTEND, version=1, reason="complex", authority=None, by=caller)
    await tell(clock.now)
    await tell(datetime(2027, 1, 20, tzinfo=UTC))

    assert told(as_app, request_id) == ["half_over", "half_over"]
    assert told(as_app, answered) == []


async def test_a_clock_that_stops_and_goes_on_tells_nothing_twice(tell, front, caller, clock, as_app, new_id):
    said = Said(via=Via.PORTAL, law="UK_GDPR", place="GB", time_zone="Europe/London")
    wish = Wish(id=new_id(), subject=ANNA, right=Right.ACCESS, said=said)
    await front["open_request"](wish, by=caller)
    for version, (day, move, reason) in enumerate(
        ((9, Move.VERIFY, "staff_decision"), (10, Move.CLARIFY, None), (12, Move.CLARIFIED, None)), 1
    ):
        clock.now = datetime(2026, 12, day, tzinfo=UTC)
        await tell(clock.now)
        await front["move_request"](wish.id, move, version=version, reason=reason, authority=None, by=caller)
        await tell(clock.now)
    [(due,)] = as_app("SELECT due_on FROM request WHERE id = %s", (wish.id,)).fetchall()
    assert due == date(2026, 12, 24), "later than without"
    assert told(as_app, wish.id) == ["half_over"]

    await tell(datetime(2026, 12, 20, tzinfo=UTC))
    await tell(datetime(2027, 1, 20, tzinfo=UTC))
    assert told(as_app, wish.id) == ["half_over", "nearly_over", "overdue"]


async def test_a_worker_that_is_killed_has_told_nothing_and_the_next_one_tells_it(database, tell, as_app, opened):
    request_id, late = await opened(), datetime(2026, 12, 8, tzinfo=UTC)
    with psycopg.connect(database.urls.worker) as connection:
        marked = connection.execute("SELECT request_tell(%s, 10)", (late,)).fetchone()
        connection.execute("SELECT 1")
        connection.rollback()

    assert marked is not None
    assert marked[0] >= 1
    assert told(as_app, request_id) == []
    await tell(late)
    assert told(as_app, request_id) == ["half_over"]


async def test_two_workers_at_once_tell_once_and_small_steps_reach_everybody(tell, as_app, opened):
    ids = [await opened(subject=SubjectId(f"s-{number}")) for number in range(9)]
    late = datetime(2027, 1, 5, tzinfo=UTC)

    await asyncio.gather(*(tell(late, most=2) for _ in range(3)))

    assert [sorted(told(as_app, one)) for one in ids] == [["half_over", "nearly_over", "overdue"]] * 9


async def test_what_is_open_and_what_is_overdue_is_counted(database, clock, opened):
    telemetry = Telemetry(clock)
    before = await clocks.publish(database.urls.worker, telemetry, datetime(2026, 12, 1, tzinfo=UTC))
    await opened()
    running, overdue = await clocks.publish(database.urls.worker, telemetry, datetime(2026, 12, 1, tzinfo=UTC))
    late = await clocks.publish(database.urls.worker, telemetry, datetime(2091, 12, 1, tzinfo=UTC))

    assert (running, overdue) == (before[0] + 1, before[1])
    assert late[1] == running
    assert telemetry.registry.get_sample_value("volens_requests_overdue") == running
    assert telemetry.registry.get_sample_value("volens_requests_open") == running
