"""Values in the vault, put there by one more process."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.kernel import Clock, Handle, SubjectId, TenantId
from service.transaction import Begin
from service.vault.domain import Slot
from service.vault.envelope import seal
from service.vault.fields import Name
from service.vault.keys import Keys
from service.vault.ring_file import FileRing

_INSERT = text(
    """
    INSERT INTO vault_value (tenant, handle, field, label, version, sealed, at, actor)
    VALUES (:tenant, :handle, :field, :label, :version, :sealed, :at, 'test')
    """
)
Put = Callable[..., Awaitable[Handle]]
"""`await put("anna", {"email": "anna@mail.example"}, version=2)`; returns the handle."""


def putter(ring: Path, engine: AsyncEngine, begin: Begin, clock: Clock, default: TenantId) -> Put:
    """Return what seals values under the root key in `ring`."""
    keys = Keys(FileRing.open(ring), begin, clock, keep=timedelta(minutes=5))

    async def put(subject: str, values: dict[str, Any], *, version: int = 1, tenant: TenantId = default) -> Handle:
        who = SubjectId(subject)
        tenant_key = await keys.tenant_key(tenant)
        async with begin(tenant) as tx:
            handle = (await tx.subjects.ensure([who], clock())).handles[who]
            found = await keys.ensure_subject_keys(tx.keys, tenant_key, [handle])
        async with engine.begin() as connection:
            await connection.execute(text("SELECT set_config('volens.tenant', :tenant, true)"), {"tenant": tenant})
            for each, value in values.items():
                name = Name.of(each)
                slot = Slot(tenant=tenant, handle=handle, field=name.field, label=name.label, version=version)
                sealed = seal(found.keys[handle], slot, msgspec.msgpack.encode(value))
                row = {**msgspec.structs.asdict(slot), "sealed": sealed, "at": clock()}
                await connection.execute(_INSERT, row)
        return handle

    return put
