"""A process that imports records and stops around each commit, so that it can be killed there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

from service import given
from service.ahead import PATIENCE, in_turn, one_ahead
from service.consent import importing
from service.consent.chunking import AppendChunk
from service.consent.import_api import Reading
from service.consent.importing import ImportRecords
from service.decisions.artefacts import read_policy
from service.given import new_id, utc_now
from service.kernel import Caller, Clock, TenantId
from service.subjects import PutSubject
from service.transaction import Begin
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.web.lines import NDJSON
from tests.integration.expiring_child import stopping

LINES = 3
IMPORT = UUID(int=7)


def import_file(ring: Path, place: Path, url: str, tenant: TenantId, pipe: Connection) -> None:
    importing.LINES = LINES
    asyncio.run(_import_file(ring, place, url, tenant, pipe))


async def _import_file(ring: Path, place: Path, url: str, tenant: TenantId, pipe: Connection) -> None:
    async with stopping(url, pipe) as begin:
        keys = Keys(FileRing.open(ring), begin, utc_now, keep=timedelta(minutes=5))
        await brought(begin, keys, place, tenant)
    pipe.send(("done", ()))


async def brought(begin: Begin, keys: Keys, place: Path, tenant: TenantId) -> list[object]:
    """Import a file of lines to its end, and return what was told."""
    by = Caller(tenant=tenant, actor="operator", request="req-import")
    sent = place.read_bytes().splitlines()  # noqa: ASYNC240, a small file
    return await imported(begin, keys, sent, import_id=IMPORT, by=by)


async def imported(
    begin: Begin,
    keys: Keys,
    sent: Sequence[bytes],
    *,
    import_id: UUID,
    by: Caller,
    clock: Clock = utc_now,
    patience: float = PATIENCE,
) -> list[Any]:
    """Import lines to their end, and return what was told."""
    policy = read_policy(given.BUILD)

    async def nobody(wanted: object, *, by: Caller) -> Sequence[Sequence[str]]:
        return []

    async def lines() -> AsyncIterator[Sequence[bytes | None]]:
        yield sent

    import_records = ImportRecords(
        begin,
        keys,
        AppendChunk(policy.vocabulary, new_id),
        PutSubject(begin, clock, policy.gazetteer),
        nobody,  # type: ignore[arg-type]
        clock,
        one_ahead,
        partial(in_turn, patience=patience),
    )
    reader = Reading(ready=lambda _: None, vocabulary=policy.vocabulary, clock=clock).of(NDJSON, None)
    told = import_records(lines(), reader.read, import_id=import_id, how=reader.how, facts=False, dry=False, by=by)
    return [each async for each in told]
