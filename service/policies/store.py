import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import exists, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_if_free
from sqlalchemy.ext.asyncio import AsyncConnection

from service.decisions import NO_OVERLAY, Overlay
from service.kernel import TenantId
from service.policies.domain import LATEST_ENTRIES, Activation, Artefacts, Kept, RevisionDamaged, Stored
from service.policies.tables import policy_activation, policy_overlay, policy_revision

_overlay: Final = msgspec.json.Decoder(Overlay)
_DAMAGED: Final = text(
    "policy_revision.digest <> sha256("
    "sha256(policy_revision.module) || sha256(policy_revision.data) || sha256(policy_revision.rules))"
)


class SqlOverlayStore:
    """Keeps the versions of a tenant's overlay. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def current(self) -> Stored:
        table = policy_overlay.c
        found = await self._connection.execute(
            select(policy_overlay).where(table.tenant == self._tenant).order_by(table.version.desc()).limit(1)
        )
        row = found.one_or_none()
        return Stored(version=0, overlay=NO_OVERLAY, at=None, actor=None) if row is None else _stored(row)

    async def version(self, number: int) -> Stored | None:
        table = policy_overlay.c
        found = await self._connection.execute(
            select(policy_overlay).where(table.tenant == self._tenant, table.version == number)
        )
        row = found.one_or_none()
        return None if row is None else _stored(row)

    async def versions(self, *, before: int | None, limit: int) -> Sequence[Stored]:
        table = policy_overlay.c
        wanted = select(policy_overlay).where(table.tenant == self._tenant)
        if before is not None:
            wanted = wanted.where(table.version < before)
        rows = await self._connection.execute(wanted.order_by(table.version.desc()).limit(limit))
        return [_stored(row) for row in rows]

    async def add(self, version: int, overlay: Overlay, at: datetime, actor: str) -> bool:
        body = msgspec.json.encode(overlay)
        added = await self._connection.execute(
            insert_if_free(policy_overlay)
            .values(tenant=self._tenant, version=version, body=body, at=at, actor=actor)
            .on_conflict_do_nothing()
            .returning(policy_overlay.c.version)
        )
        return added.first() is not None


def _stored(row: Any) -> Stored:
    return Stored(version=row.version, overlay=_overlay.decode(row.body), at=row.at, actor=row.actor)


class SqlRevisionStore:
    """Keeps built policies, and which of them governed when. Adding is the owner's alone."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, artefacts: Artefacts, at: datetime) -> bool:
        new = msgspec.structs.asdict(artefacts) | {"at": at, "digest": _digest(artefacts)}
        added = await self._connection.execute(
            insert_if_free(policy_revision)
            .values(new)
            .on_conflict_do_update(index_elements=["revision"], set_=new, where=_DAMAGED)
            .returning(policy_revision.c.revision)
        )
        return added.first() is not None

    async def find(self, revision: str) -> Artefacts | None:
        found = await self._connection.execute(select(policy_revision).where(policy_revision.c.revision == revision))
        row = found.one_or_none()
        if row is None:
            return None
        artefacts = msgspec.convert(row, Artefacts, from_attributes=True)
        if _digest(artefacts) != row.digest:
            raise RevisionDamaged("the stored policy is damaged")
        return artefacts

    async def never_activated(self) -> Sequence[Kept]:
        stored = policy_revision.c
        rows = await self._connection.execute(
            select(stored.revision, stored.at)
            .where(~exists().where(policy_activation.c.revision == stored.revision))
            .order_by(stored.at.desc(), stored.revision)
            .limit(LATEST_ENTRIES)
        )
        return [msgspec.convert(row, Kept, from_attributes=True) for row in rows]

    async def activate(self, revision: str, at: datetime, actor: str) -> None:
        await self._connection.execute(insert(policy_activation).values(revision=revision, at=at, actor=actor))

    async def activations(self) -> Sequence[Activation]:
        rows = await self._connection.execute(
            select(policy_activation).order_by(policy_activation.c.id.desc()).limit(LATEST_ENTRIES)
        )
        return [msgspec.convert(row, Activation, from_attributes=True) for row in rows]


def _digest(artefacts: Artefacts) -> bytes:
    parts = (artefacts.module, artefacts.data, artefacts.rules)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
