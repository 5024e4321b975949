"""Entries that are picked out of the audit log: found, counted, and read with the proof of each."""

import sys
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from service.audit import AuditEvent
from service.audit.evidence import SelectionLines
from service.audit.notes import Checkpoint
from service.audit.tiles import Tile, tiles_for
from service.exports import Count, Counted, Outcome, Wanted
from service.kernel import DomainError, TenantId
from service.transaction import Begin, Transaction

BATCH: Final = 500
"""Entries in memory. Each can need a few tiles of 8 KiB."""
_PATIENCE: Final = "SELECT set_config('statement_timeout', '10min', true)"
_RULED: Final = """
    WITH ruled AS MATERIALIZED (
        SELECT revision, facts_hash FROM verdict WHERE tenant = %(tenant)s AND EXISTS (
            SELECT FROM jsonb_array_elements(body::jsonb -> 'reasons') AS reason
            WHERE reason ->> 'rule' = ANY(%(rules)s)
        )
    )
"""
"""Facts and the verdict on them are stored once, so this is far less than the decisions."""
_DECIDED: Final = """
    JOIN decision ON decision.tenant = entry.tenant
        AND decision.id = CASE WHEN entry.event = 'decision.made' THEN entry.object_id::uuid END
"""
_LEFT_NOTHING: Final = """
    AND entry.event = 'decision.made' AND NOT EXISTS (
        SELECT FROM decision WHERE decision.tenant = entry.tenant
            AND decision.id = CASE WHEN entry.event = 'decision.made' THEN entry.object_id::uuid END
    )
"""
_BY_RULE: Final = "JOIN ruled ON ruled.revision = decision.revision AND ruled.facts_hash = decision.facts_hash"
_PLACES: Final = """
    SELECT coalesce(string_agg(int8send(leaf.index), ''::bytea ORDER BY leaf.index), ''::bytea)
"""
"""Eight bytes an entry, for a list of a million numbers would take a hundred times as much."""
_COUNTS: Final = "SELECT entry.event, count(*)"


class LogBroken(DomainError):
    """The database has lost part of what was signed."""

    code = "log_broken"


async def chosen(begin: Begin, tenant: TenantId, wanted: Wanted, size: int) -> "tuple[array[int], int]":
    """Return the places of the entries that are wanted, among the first `size`, in their order.

    And how many decisions nobody can ask any more whether they are: their content ended.
    """
    async with begin(tenant) as tx:
        await tx.trips(_PATIENCE, {})
        [(packed,)] = await _ask(tx, tenant, wanted, size, _PLACES, "")
        ended = await _ended(tx, tenant, wanted, size)
    places = array("q", packed)
    if sys.byteorder == "little":
        places.byteswap()
    return places, ended


def counter(begin: Begin) -> Count:
    """Return what counts the entries of a tenant that are wanted, of those that have their place."""

    async def count(tenant: TenantId, wanted: Wanted) -> Counted:
        async with begin(tenant) as tx:
            note = await tx.tree.checkpoint(None)
            size = 0 if note is None else Checkpoint.parse(note).size
            rows = await _ask(tx, tenant, wanted, size, _COUNTS, "GROUP BY 1 ORDER BY 1") if size else []
            ended = await _ended(tx, tenant, wanted, size)
        events = {AuditEvent(event): number for event, number in rows}
        return Counted(entries=sum(events.values()), events=events, tree_size=size, ended=ended)

    return count


async def _ended(tx: Transaction, tenant: TenantId, wanted: Wanted, size: int) -> int:
    """Count the decisions that are wanted as far as their entries tell, and of which nothing else is left."""
    if not wanted.by_content:
        return 0
    other = replace(wanted, rules=(), outcome=None)
    [(number,)] = await _ask(tx, tenant, other, size, "SELECT count(*)", _LEFT_NOTHING)
    return int(number)


async def _ask(tx: Transaction, tenant: TenantId, wanted: Wanted, size: int, what: str, end: str) -> Sequence[Any]:
    until = size if wanted.after is None else min(size, wanted.after)
    given: dict[str, Any] = {"tenant": tenant, "first": wanted.first, "after": until}
    conditions = ["entry.tenant = %(tenant)s", "leaf.index < %(after)s", "leaf.index >= %(first)s"]
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None and value != ():
            conditions.append(condition)
            given[name] = list(map(_plain, value)) if isinstance(value, tuple) else _plain(value)
    joins = "JOIN audit_leaf AS leaf ON leaf.tenant = entry.tenant AND leaf.entry = entry.id "
    if wanted.by_content:
        joins += _DECIDED + (_BY_RULE if wanted.rules else "")
    ruled = _RULED if wanted.rules else ""
    query = f"{ruled}{what} FROM audit_entry AS entry {joins} WHERE {' AND '.join(conditions)} {end}"
    return await tx.trips(query, given)


_CONDITIONS: Final = {
    "since": "entry.at >= %(since)s",
    "until": "entry.at < %(until)s",
    "events": "entry.event = ANY(%(events)s)",
    "actors": "entry.actor = ANY(%(actors)s)",
    "handles": "entry.subject = ANY(%(handles)s)",
    "rules": "%(rules)s::text[] IS NOT NULL",
    "outcome": "decision.permit = %(outcome)s",
}


def _plain(value: Any) -> Any:
    if isinstance(value, Outcome):
        return value is Outcome.PERMIT
    return value.value if isinstance(value, AuditEvent) else value


Take = Callable[[Sequence[int], Sequence[bytes]], Awaitable[None]]


class Choice:
    """Picked entries, read from the database in batches."""

    def __init__(
        self,
        begin: Begin,
        tenant: TenantId,
        note: str,
        wanted: Wanted,
        places: "array[int]",
        ended: int,
        advanced: Callable[[int], None],
    ) -> None:
        """`ended` is how many decisions more may have been wanted, whose content ended."""
        self.tenant = tenant
        self.note = note
        self.places = places
        self.ended = ended
        self._begin = begin
        self._wanted = wanted
        self._advanced = advanced
        self.size = Checkpoint.parse(note).size

    async def batches(self) -> AsyncIterator[tuple[Sequence[int], Sequence[bytes]]]:
        """Yield the places of some entries, and their canonical bytes."""
        for low in range(0, len(self.places), BATCH):
            places = self.places[low : low + BATCH].tolist()
            async with self._begin(self.tenant) as tx:
                entries = await tx.tree.entries_at(places)
            if len(entries) != len(places):
                raise LogBroken(f"entries from {places[0]} on are not all there; `volens audit verify` says more")
            yield places, entries
            self._advanced(low + len(places))

    async def ndjson(self, take: Take | None = None) -> AsyncIterator[bytes]:
        """Yield what `service.audit.selections` describes; `take` is given places and entries on the way."""
        lines = SelectionLines(self.note)
        yield lines.header(msgspec.to_builtins(self._wanted) | ({"ended": self.ended} if self.ended else {})) + b"\n"
        async for places, entries in self.batches():
            held = await self._tiles(lines.spans(places))
            if take is not None:
                await take(places, entries)
            yield _whole(lambda: b"".join(lines.line(*each, held.__getitem__) + b"\n" for each in zip(places, entries)))  # noqa: B023, B905, at once, and they are as many
        held = await self._tiles(lines.spans((), last=True))
        yield _whole(lambda: lines.end(held.__getitem__) + b"\n")

    async def _tiles(self, spans: Sequence[tuple[int, int]]) -> dict[Tile, bytes]:
        wanted = sorted(tiles_for(spans, self.size))
        held: dict[Tile, bytes] = {}
        for low in range(0, len(wanted), BATCH):
            async with self._begin(self.tenant) as tx:
                held |= await tx.tree.tiles(wanted[low : low + BATCH])
        return held


def _whole(write: Callable[[], bytes]) -> bytes:
    try:
        return write()
    except (KeyError, ValueError):
        raise LogBroken("the database lacks part of the tree; `volens audit verify` says what") from None
