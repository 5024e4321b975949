"""A process that imports records and stops around each commit, so that it can be killed there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from service import given
from service.ahead import in_turn, one_ahead
from service.consent import importing
from service.consent.chunking import AppendChunk
from service.consent.import_api import Reading
from service.consent.importing import ImportRecords
from service.decisions.artefacts import read_policy
from service.given import new_id, utc_now
from service.kernel import Caller, TenantId
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
    policy = read_policy(given.BUILD)
    by = Caller(tenant=tenant, actor="operator", request="req-import")

    async def nobody(wanted: object, *, by: Caller) -> Sequence[Sequence[str]]:
        return []

    sent = place.read_bytes().splitlines()  # noqa: ASYNC240, a small file

    async def lines() -> AsyncIterator[Sequence[bytes | None]]:
        yield sent

    import_records = ImportRecords(
        begin,
        keys,
        AppendChunk(policy.vocabulary, new_id),
        PutSubject(begin, utc_now, policy.gazetteer),
        nobody,  # type: ignore[arg-type]
        utc_now,
        one_ahead,
        in_turn,
    )
    reader = Reading(ready=lambda _: None, vocabulary=policy.vocabulary, clock=utc_now).of(NDJSON, None)
    told = import_records(lines(), reader.read, import_id=IMPORT, how=reader.how, facts=False, dry=False, by=by)
    return [each async for each in told]
