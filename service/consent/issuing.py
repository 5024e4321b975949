"""Receipts: what the log says of a record, for the person whose it is."""

from typing import Any
from uuid import UUID

from service.audit import (
    AuditEvent,
    Content,
    ContentExpired,
    ProveEntry,
    ReceiptSigner,
    leaf_hash,
    origin_of,
    receipt,
    receipts_of,
)
from service.consent.imported import opened
from service.consent.importing_ports import BeginImport
from service.consent.ports import Begin, ConsentTransaction
from service.consent.receipts import GIVEN, NotAConsent, Receipt, Told, UnknownRecord, content, shown, status
from service.kernel import Caller, Clock, Handle


class ReadRecord:
    """Read a record with what it points to, for whoever may have its receipt."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, record_id: UUID, *, by: Caller) -> Told:
        """Return the record. With their own token people read their own, whichever of their ids it was stored under.

        Raises:
            UnknownRecord: there is none, or it is somebody else's.
            ContentExpired: it was kept until its period ended.
        """
        async with self._begin(by.tenant) as tx:
            record = (await tx.records.find([record_id])).get(record_id)
            gone = None if record else (await tx.traces.of(Content.RECORD, [record_id])).get(record_id)
            if gone is not None and await _is_of(tx, gone.handle, by):
                raise ContentExpired("the record was kept until its period ended")
            if record is None or not await _is_of(tx, record.handle, by):
                raise UnknownRecord("no such record")
            said = record.statement
            versions = [] if said.notice_version is None else await tx.notices.of_version(said.notice_version)
            own = {} if said.purpose is None else await tx.purposes.find([said.purpose])
        return Told(
            tenant=by.tenant, record=record, notice=shown(record, versions), own_purpose=own.get(said.purpose or "")
        )


class IssueReceipt:
    """Sign what a record says, with the proof that it is in the log."""

    def __init__(
        self, begin: BeginImport, read: ReadRecord, prove: ProveEntry, sign: ReceiptSigner, log: str, clock: Clock
    ) -> None:
        """`log` is the log's name; with a tenant's it makes the issuer."""
        self._begin = begin
        self._read = read
        self._prove = prove
        self._sign = sign
        self._log = log
        self._clock = clock

    async def __call__(self, record_id: UUID, *, by: Caller) -> Receipt:
        """Return a receipt against the newest checkpoint. Nothing but that and `iat` differs from the one before.

        Raises:
            UnknownRecord, EntryUnknown, EntryWaits, CheckpointUnknown
            Unavailable: there is no key to sign with.
        """
        told = await self._read(record_id, by=by)
        at = told.record.received_at
        chunk, place = await self._imported(told, by)
        event, named = (AuditEvent.RECORD_STORED, record_id) if chunk is None else (AuditEvent.RECORD_IMPORTED, chunk)
        proved = await self._prove.of_stored(event, named, at, by=by)
        origin = origin_of(self._log, by.tenant)
        claims = claimed(told, origin, proved.entry) | place | {"iat": int(self._clock().timestamp())}
        return Receipt(jws=receipt(claims, await self._sign(receipts_of(origin))), proof=proved.text)

    async def _imported(self, told: Told, by: Caller) -> tuple[UUID | None, dict[str, Any]]:
        """Return the chunk in which a record was imported, and the claim that it is among its leaves."""
        record = told.record
        async with self._begin(by.tenant) as tx:
            chunk = await tx.imports.chunk_of(record.id, record.received_at)
            secret = (await tx.audit.secrets([record.handle])).get(record.handle) if chunk is not None else None
        if chunk is None:
            return None, {}
        index, path = chunk.path(record.id)
        place: dict[str, Any] = {
            "chunk": str(chunk.id),
            "index": index,
            "size": len(chunk.records),
            "path": [each.hex() for each in path],
        }
        if secret is not None:
            shown = opened(record, secret)
            place |= {"salt": shown.salt.hex(), "payload": shown.content.decode()}
        return chunk.id, {"imported": place}


def claimed(told: Told, origin: str, entry: bytes) -> dict[str, Any]:
    """Return what a receipt of a record says, but when it was issued."""
    return {
        "iss": origin,
        "sub": str(told.record.handle),
        "jti": str(told.record.id),
        "leaf": leaf_hash(entry).hex(),
        "record": content(told, origin),
    }


class ExportReceipt:
    """Show what a record says to those who read receipts of Kantara 1.1 only."""

    def __init__(self, read: ReadRecord) -> None:
        self._read = read

    async def __call__(self, record_id: UUID, *, by: Caller) -> Told:
        """Return a record of a consent.

        Raises:
            UnknownRecord
            NotAConsent: Kantara has no words for what was recorded, and a refusal must not pass for a consent.
        """
        told = await self._read(record_id, by=by)
        if status(told.record.statement.action) != GIVEN:
            raise NotAConsent("nobody consented by this record")
        return told


async def _is_of(tx: ConsentTransaction, whose: Handle | None, by: Caller) -> bool:
    if by.subject is None:
        return True
    handle = await tx.subjects.handle_of(by.subject)
    return handle is not None and (whose == handle or whose in await tx.subjects.former(handle))
