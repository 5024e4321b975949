"""Texts and files that belong to something else of a person: sealed as values, in the transaction of what they are for.

The name of each is its field and the id of what it is for, so that no two are ever written under one name. They are
values like any other to a merge, a package and an erasure.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit import AuditEvent, AuditTrail, Draft
from service.kernel import Caller, Handle
from service.vault.domain import SubjectErased, TenantKey, Unreadable
from service.vault.fields import Name
from service.vault.ports import KeyAccess, Seal, Unseal
from service.vault.value_ports import ValueTransaction
from service.vault.values import Sealed

LETTER: Final = "request_letter"
"""The field of what a person and the controller write to each other about a request."""
PROOF: Final = "request_proof"
"""The field of what shows who somebody is, or what they may: gone when the case is."""
_FIRST: Final = 1


class Proofs(Protocol):
    """Removes what showed who somebody is. Nothing else can be removed like that."""

    async def drop(self, handle: Handle, ids: Collection[UUID]) -> Collection[UUID]:
        """Remove proofs of a person, and return which were there."""
        ...


class ProofTransaction(Protocol):
    @property
    def proofs(self) -> Proofs: ...
    @property
    def audit(self) -> AuditTrail: ...


class Letter(Struct, frozen=True, kw_only=True):
    """A text or a file. Never log it, and never keep it longer than the request."""

    media_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"Letter({self.media_type}, hidden)"


class Letters:
    """Keeps, opens and drops letters inside the transactions of others."""

    def __init__(self, keys: KeyAccess, seal: Seal, unseal: Unseal) -> None:
        self._keys = keys
        self._seal = seal
        self._unseal = unseal

    async def tenant_key(self, by: Caller) -> TenantKey:
        """Return what the calls need. Ask before the transaction begins: a ring may have to answer.

        Raises:
            RingUnavailable
        """
        return await self._keys.tenant_key(by.tenant)

    async def keep(
        self,
        tx: ValueTransaction,
        tenant_key: TenantKey,
        handle: Handle,
        field: str,
        id_: UUID,
        letter: Letter,
        *,
        at: datetime,
        by: Caller,
    ) -> None:
        """Seal a letter under the person's key, with its audit entry.

        Raises:
            SubjectErased
        """
        keys = await self._keys.ensure_subject_keys(tx.keys, tenant_key, [handle])
        if handle in keys.erased:
            raise SubjectErased("what was kept about this person is gone for good")
        value = Sealed(handle=handle, name=Name(field, id_.hex), version=_FIRST, sealed=b"", at=at)
        plain = msgspec.msgpack.encode(msgspec.structs.asdict(letter))
        sealed = self._seal(keys.keys[handle], value.slot(by.tenant), plain)
        await tx.values.add([(msgspec.structs.replace(value, sealed=sealed), by.actor)])
        await tx.audit.append(event=AuditEvent.VAULT_VALUE_STORED, object_id=f"{field}/{_FIRST}", by=by, subject=handle)

    async def open(
        self, tx: ValueTransaction, tenant_key: TenantKey, handle: Handle, field: str, id_: UUID, *, by: Caller
    ) -> Letter | None:
        """Return a letter as it was kept, whatever was written under its name since; nothing, if it went.

        Raises:
            Unreadable
        """
        found = await tx.values.find({handle: [Name(field, id_.hex)]}, version=_FIRST)
        keys = await self._keys.subject_keys(tx.keys, tenant_key, [handle])
        if not found or handle in keys.erased:
            return None
        if handle not in keys.keys:
            raise Unreadable("the value does not open")
        plain = self._unseal(keys.keys[handle], found[0].slot(by.tenant), found[0].sealed)
        return msgspec.convert(msgspec.msgpack.decode(plain), Letter)


async def dropped(tx: ProofTransaction, handle: Handle, ids: Collection[UUID], *, at: datetime, by: Caller) -> None:
    """Remove proofs for good, each with its audit entry."""
    if gone := await tx.proofs.drop(handle, ids):
        drafts = [
            Draft(event=AuditEvent.VAULT_VALUE_DELETED, object_id=f"{PROOF}/{_FIRST}", subject=handle) for _ in gone
        ]
        await tx.audit.append_many(drafts, by=by)
