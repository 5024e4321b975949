"""Two pieces of an import are stored at once, and what they leave is what one after the other would."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from service.consent import importing
from service.consent.chunk_store import SqlImportStore
from service.kernel import Caller, Contended, SubjectId, Unavailable
from service.transaction import Begin
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.api.test_record_import import CONSENT
from tests.builders import DAY
from tests.conftest import FakeClock
from tests.integration.importing_child import imported

LINES = 40


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LINES", LINES)


@pytest.fixture
def bring(begin: Begin, clock: FakeClock, caller: Caller, tmp_path: Path) -> Callable[..., Any]:
    """Imports lines through transactions that `opened` opens."""
    keys = Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=DAY)

    async def bring(
        sent: Sequence[bytes], opened: Any = begin, import_id: UUID | None = None, patience: float = 0.2
    ) -> list[Any]:
        return await imported(
            opened, keys, sent, import_id=import_id or uuid4(), by=caller, clock=clock, patience=patience
        )

    return bring


def line(subject: str, ts: str, **more: Any) -> bytes:
    return msgspec.json.encode({"subject": subject, **CONSENT, "ts": ts, **more})


async def test_the_next_piece_begins_before_the_one_before_is_stored(begin, bring, clock, monkeypatch):
    happened = []
    advance = SqlImportStore.advance

    @asynccontextmanager
    async def begun(tenant):
        happened.append("begun")
        async with begin(tenant) as tx:
            yield tx

    async def advanced(*given: Any) -> bool:
        happened.append("dealt with")
        return await advance(*given)

    monkeypatch.setattr(SqlImportStore, "advance", advanced)
    lines = [line(f"s{number}", clock().isoformat()) for number in range(4 * LINES)]
    *told, summary = await bring(lines, begun)

    assert happened[:4] == ["begun", "begun", "begun", "dealt with"], "how far it is, a piece, and the next"
    assert [done.line for piece in told for done in piece] == list(range(1, 4 * LINES + 1))
    assert (summary.stored, summary.records) == (4 * LINES, 4 * LINES)


async def test_of_the_same_people_both_pieces_count(begin, bring, clock, tenant):
    """The second finds what the first has left, whichever of them PostgreSQL lets go first."""
    times = [(clock() - days * DAY).isoformat() for days in (9, 8, 7)]
    lines = [line(f"s{number}", ts, brand=f"b{ts[:10]}") for ts in times for number in range(LINES)]
    *_, summary = await bring(lines)

    assert summary.records == 3 * LINES
    async with begin(tenant) as tx:
        for number in range(LINES):
            handle = await tx.subjects.handle_of(SubjectId(f"s{number}"))
            assert handle is not None
            kept, state = await tx.records.history(handle), await tx.states.read(handle)
            assert (len(kept), len(state.acts)) == (3, 3)


async def test_a_piece_that_begins_anew_is_not_held_off_by_the_next(begin, bring, clock):
    given_up = 0

    @asynccontextmanager
    async def unlucky(tenant):
        nonlocal given_up
        async with begin(tenant) as tx:
            yield tx
            if not given_up and (await tx.subjects.count()):
                given_up += 1
                await asyncio.sleep(0.1)
                raise Contended("others were in the way")

    lines = [line(f"s{number % LINES}", clock().isoformat(), brand=f"b{number}") for number in range(2 * LINES)]
    *told, summary = await bring(lines, unlucky)

    assert (given_up, summary.records) == (1, 2 * LINES)
    assert [len(piece) for piece in told] == [LINES, LINES]


async def test_nothing_after_a_piece_that_fails_is_stored(begin, bring, clock, tenant):
    """And the import goes on from there."""
    sent, import_id = [line(f"s{number}", clock().isoformat()) for number in range(4 * LINES)], uuid4()
    failing = 0

    @asynccontextmanager
    async def fails(tenant):
        nonlocal failing
        async with begin(tenant) as tx:
            yield tx
            if await tx.subjects.count() > LINES:
                failing += 1
                await asyncio.sleep(0.05)  # the next has time to come up to here
                raise Unavailable("gone")

    with pytest.raises(Unavailable):
        await bring(sent, fails, import_id)

    async with begin(tenant) as tx:
        assert (await tx.imports.progress(import_id))[0] == await tx.subjects.count() == LINES
    *_, summary = await bring(sent, import_id=import_id)
    assert failing
    assert (summary.skipped, summary.stored) == (LINES, 3 * LINES)


async def test_who_begins_anew_waits_for_nobody_behind(bring, clock):
    """One line that is there twice, in two pieces, about people who are in each: nobody sits out their patience."""
    await bring([line(f"s{number}", clock().isoformat(), brand="known") for number in range(LINES)])
    lines = [line(f"s{number % LINES}", clock().isoformat(), brand=f"b{number}") for number in range(12 * LINES)]
    lines[LINES] = lines[LINES - 1]
    *_, summary = await asyncio.wait_for(bring(lines, patience=30), 15)

    assert (summary.stored, summary.known) == (12 * LINES - 1, 1)


async def test_an_id_that_is_taken_is_told_as_such_of_whoever_refused_as_well(begin, bring, clock):
    """Also where it was taken by the piece before, which is not stored yet."""

    @asynccontextmanager
    async def slow(tenant):
        async with begin(tenant) as tx:
            yield tx
            await asyncio.sleep(0.1)

    await bring([line("s0", (clock() - 5 * DAY).isoformat(), action="opt_out")])
    record, times = str(uuid4()), [(clock() - days * DAY).isoformat() for days in (9, 1)]
    lines = [line("s0", times[0], id=record)] * LINES + [line("s0", times[1], id=record)]
    *told, summary = await bring(lines, slow)

    assert (told[-1][0].code, summary.shut) == ("record_id_reused", 0)


async def test_a_piece_that_takes_long_turns_away_nobody_behind(begin, bring, clock):
    """The next waits for its locks, and PostgreSQL lets nobody wait for ever."""

    @asynccontextmanager
    async def slow(tenant):
        async with begin(tenant) as tx:
            await tx.trips("SELECT set_config('lock_timeout', '100', true)", {})
            yield tx
            await asyncio.sleep(0.4)

    await bring([line(f"s{number}", clock().isoformat(), brand="known") for number in range(LINES)])
    lines = [line(f"s{number % LINES}", clock().isoformat(), brand=f"b{number}") for number in range(3 * LINES)]
    *_, summary = await bring(lines, slow)

    assert summary.records == 3 * LINES
