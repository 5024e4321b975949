from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.audit import Position
from service.decisions.asking import Judged
from service.decisions.batch_places import AT_ONCE, FIRST, LAST, Place, SqlBatchPlaces
from service.decisions.domain import Stored, Verdict
from service.decisions.narrow import NEVER, from_micros
from service.decisions.packed import (
    STRANGER,
    WIDTH,
    Given,
    Heading,
    Lone,
    Lying,
    decision_id,
    entry_at,
    placed,
)
from service.kernel import Handle, TenantId

_WANTED: Final = text(
    """
    WITH wanted AS (
        SELECT batch.*, piece.place, substring(batch.body FROM piece.place * :width + 1 FOR :width) AS entry
        FROM unnest(CAST(:batches AS uuid[]), CAST(:places AS integer[])) AS piece (batch, place)
        JOIN batch ON batch.tenant = :tenant AND batch.id = piece.batch AND piece.place < batch.decisions
    )
    SELECT wanted.id, wanted.place, wanted.entry, wanted.channel, wanted.purpose, wanted.at, wanted.revision,
        wanted.overlay_version, wanted.actor, answer.permit, answer.retry_after, facts.body AS facts,
        verdict.body AS verdict
    FROM wanted
    JOIN batch_answer AS answer ON answer.tenant = :tenant AND answer.batch = wanted.id
        AND answer.number = ('x' || encode(substring(wanted.entry FROM 17 FOR 4), 'hex'))\\:\\:bit(32)\\:\\:integer
    JOIN facts ON facts.tenant = :tenant AND facts.hash = answer.facts_hash
    JOIN verdict ON verdict.tenant = :tenant AND verdict.revision = wanted.revision
        AND verdict.facts_hash = answer.facts_hash
    """
)


_CHUNK: Final = text("SELECT * FROM batch WHERE tenant = :tenant AND id = :id")
_GIVEN: Final = text(
    """
    SELECT answer.facts_hash, answer.retry_after, verdict.body FROM batch_answer AS answer
    JOIN verdict ON verdict.tenant = :tenant AND verdict.revision = :revision
        AND verdict.facts_hash = answer.facts_hash
    WHERE answer.tenant = :tenant AND answer.batch = :id ORDER BY answer.number
    """
)
_LONE: Final = text(
    """
    SELECT batch.id, batch.channel, batch.purpose, batch.at, batch.revision, batch.overlay_version, batch.actor,
        batch.decisions, batch.root, batch.leaves, entry, answer.shown, answer.facts_hash, answer.retry_after,
        verdict.body
    FROM batch
    CROSS JOIN LATERAL substring(batch.body FROM :place * :width + 1 FOR :width) AS entry
    JOIN batch_answer AS answer ON answer.tenant = :tenant AND answer.batch = batch.id
        AND answer.number = ('x' || encode(substring(entry FROM 17 FOR 4), 'hex'))\\:\\:bit(32)\\:\\:integer
    JOIN verdict ON verdict.tenant = :tenant AND verdict.revision = batch.revision
        AND verdict.facts_hash = answer.facts_hash
    WHERE batch.tenant = :tenant AND batch.id = :id AND :place < batch.decisions
    """
)
_verdict: Final = msgspec.json.Decoder(Verdict)
_TOGETHER: Final = 1_000
"""Decisions that are read together."""


class SqlBatchStore:
    """Reads decisions out of chunks, one by one; rows never leave this class."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant
        self._places = SqlBatchPlaces(connection, tenant)

    async def several(self, decisions: Collection[UUID]) -> Mapping[UUID, Stored]:
        """Return those of these decisions that batches made."""
        places = [placed(decision) for decision in decisions]
        found = await self._connection.execute(
            _WANTED,
            {
                "tenant": self._tenant,
                "width": WIDTH,
                "batches": [batch for batch, _ in places],
                "places": [place for _, place in places],
            },
        )
        stored = map(_to_stored, found)
        return {each.id: each for each in stored}

    async def about(self, handles: Collection[Handle]) -> AsyncIterator[Sequence[Stored]]:
        """Yield what batches decided about a person, oldest first."""
        places = await self._places.of(handles)
        found = list(places.known)
        for start in range(0, len(places.unindexed), AT_ONCE):
            found += await self._places.through(handles, places.unindexed[start : start + AT_ONCE])
        wanted = sorted(id_ for _, id_ in found)
        for start in range(0, len(wanted), _TOGETHER):
            piece = wanted[start : start + _TOGETHER]
            stored = await self.several(piece)
            yield [stored[place] for place in piece if place in stored]

    async def page(
        self,
        handles: Collection[Handle],
        *,
        since: datetime | None,
        until: datetime | None,
        after: Position | None,
        newest_first: bool,
        limit: int,
    ) -> Sequence[Stored]:
        """Return at most `limit` decisions about a person, by (time, id).

        Chunks that are not indexed are looked through until no more of them can matter.
        """
        low, high = since or FIRST, until or LAST
        if after is not None:
            low, high = (low, min(high, after.at)) if newest_first else (max(low, after.at), high)
        places = await self._places.of(handles, low, high)

        def wanted(places: Sequence[Place]) -> list[Place]:
            passed, end = None if after is None else (after.at, after.id), until or LAST
            return [each for each in places if each[0] < end and _follows(each, passed, newest_first)]

        found = wanted(places.known)
        chunks = sorted(places.unindexed, reverse=newest_first)
        for start in range(0, len(chunks), AT_ONCE):
            if sum(_follows(chunks[start], each, newest_first) for each in found) >= limit:
                break
            found += wanted(await self._places.through(handles, chunks[start : start + AT_ONCE]))
        ids = [id_ for _, id_ in sorted(found, reverse=newest_first)[:limit]]
        stored = await self.several(ids) if ids else {}
        return [stored[id_] for id_ in ids if id_ in stored]

    async def lone(self, decision: UUID) -> Lone | None:
        """Return one decision with what proves it; None if no batch made it."""
        chunk, place = placed(decision)
        about = {"tenant": self._tenant, "id": chunk, "place": place, "width": WIDTH}
        row = (await self._connection.execute(_LONE, about)).one_or_none()
        if row is None:
            return None
        return Lone(
            heading=_to_heading(row),
            decisions=row.decisions,
            root=row.root,
            leaves=row.leaves,
            entry=entry_at(row.entry),
            position=place,
            given=_to_given(row),
            shown=row.shown,
        )

    async def lying(self, chunk: UUID) -> Lying | None:
        """Return a chunk as it lies there."""
        about = {"tenant": self._tenant, "id": chunk}
        row = (await self._connection.execute(_CHUNK, about)).one_or_none()
        if row is None:
            return None
        given = await self._connection.execute(_GIVEN, {**about, "revision": row.revision})
        return Lying(
            heading=_to_heading(row),
            answers=tuple(_to_given(each) for each in given),
            entries=tuple(entry_at(row.body, place) for place in range(row.decisions)),
            root=row.root,
            leaves=row.leaves,
        )


def _follows(place: Place, passed: Place | None, newest_first: bool) -> bool:
    if passed is None:
        return True
    return place < passed if newest_first else place > passed


def _to_heading(row: Row[*tuple[object, ...]]) -> Heading:
    return Heading(
        id=row.id,
        channel=row.channel,
        purpose=row.purpose,
        at=row.at.astimezone(UTC),
        revision=row.revision,
        overlay_version=row.overlay_version,
        actor=row.actor,
    )


def _to_given(row: Row[*tuple[object, ...]]) -> Given:
    return Given(
        judged=Judged.of(_verdict.decode(row.body), row.facts_hash),
        facts=b"",
        retry_after=None if row.retry_after is None else datetime.fromisoformat(row.retry_after),
    )


def _to_stored(row: Row[*tuple[object, ...]]) -> Stored:
    handle, _, until = entry_at(row.entry)
    return Stored(
        id=decision_id(row.id, row.place),
        handle=None if handle == STRANGER else Handle(UUID(bytes=handle)),
        channel=row.channel,
        purpose=row.purpose,
        at=row.at.astimezone(UTC),
        decided_at=row.at.astimezone(UTC),
        permit=row.permit,
        revision=row.revision,
        overlay_version=row.overlay_version,
        facts=row.facts.encode(),
        verdict=row.verdict.encode(),
        records=(),
        retry_after=row.retry_after,
        valid_until=None if until == NEVER else from_micros(until),
        actor=row.actor,
    )
