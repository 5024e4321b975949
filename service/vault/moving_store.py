"""The values of one person become those of another, row by row. Opens and seals nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.vault.fields import Name
from service.vault.moving_ports import Version
from service.vault.tables import vault_value

_RENAMED: Final = "json_to_recordset(CAST(:names AS json)) AS new (field text, label text, renamed text)"
_INDEX: Final = text(
    f"""
    WITH gone AS (
        DELETE FROM vault_index WHERE tenant = :tenant AND handle = :source
        RETURNING field, index_version, digest, label
    )
    INSERT INTO vault_index (tenant, field, index_version, digest, handle, label)
    SELECT :tenant, gone.field, gone.index_version, gone.digest, :target, new.renamed
    FROM gone JOIN {_RENAMED} ON new.field = gone.field AND new.label = gone.label
    ON CONFLICT DO NOTHING
    """  # noqa: S608, no value of anybody is in it
)
_TOKENS: Final = text(
    f"""
    UPDATE vault_token AS kept SET handle = :target, label = coalesce(
        (SELECT new.renamed FROM {_RENAMED} WHERE new.field = kept.field AND new.label = kept.label), kept.label
    )
    WHERE kept.tenant = :tenant AND kept.handle = :source
    """  # noqa: S608
)


class SqlMovingStore:
    """Never commits: the transaction that built the store does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def history(self, handle: Handle) -> Sequence[Version]:
        table = vault_value.c
        found = await self._connection.execute(
            select(table.field, table.label, table.version, table.sealed, table.at, table.actor, table.deleted_at)
            .where(table.tenant == self._tenant, table.handle == handle)
            .order_by(table.field, table.label, table.version)
        )
        return [
            Version(name=Name(field, label), version=version, sealed=sealed, at=at, actor=actor, deleted_at=deleted_at)
            for field, label, version, sealed, at, actor, deleted_at in found
        ]

    async def add(self, handle: Handle, versions: Sequence[Version]) -> None:
        if versions:
            await self._connection.execute(
                insert(vault_value),
                [
                    {
                        "tenant": self._tenant,
                        "handle": handle,
                        "field": each.name.field,
                        "label": each.name.label,
                        "version": each.version,
                        "sealed": each.sealed,
                        "at": each.at,
                        "actor": each.actor,
                        "deleted_at": each.deleted_at,
                    }
                    for each in versions
                ],
            )

    async def hand_over(self, source: Handle, target: Handle, names: Mapping[Name, Name]) -> None:
        rows = [{"field": name.field, "label": name.label, "renamed": new.label} for name, new in names.items()]
        parameters = {
            "tenant": self._tenant,
            "source": source,
            "target": target,
            "names": msgspec.json.encode(rows).decode(),
        }
        await self._connection.execute(_INDEX, parameters)
        await self._connection.execute(_TOKENS, parameters)
