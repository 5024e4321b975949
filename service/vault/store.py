from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import Handle, TenantId
from service.vault.fields import BUILT_IN, Field, Name
from service.vault.values import Sealed

_FIELDS: Final = text(
    "SELECT DISTINCT ON (name) name, body FROM vault_field WHERE tenant = :tenant ORDER BY name, version DESC"
)
_LATEST: Final = text(
    """
    SELECT want.handle, want.field, want.label, found.version, found.sealed, found.at, NULL AS until
    FROM json_to_recordset(CAST(:wanted AS json)) AS want (handle uuid, field text, label text)
    CROSS JOIN LATERAL (
        SELECT version, sealed, at, deleted_at FROM vault_value
        WHERE tenant = :tenant AND handle = want.handle AND field = want.field AND label = want.label
        ORDER BY version DESC LIMIT 1
    ) AS found
    WHERE found.deleted_at IS NULL
    """
)
_VERSION: Final = text(
    """
    SELECT this.handle, this.field, this.label, this.version, this.sealed, this.at,
        least(this.deleted_at, next.at) AS until
    FROM json_to_recordset(CAST(:wanted AS json)) AS want (handle uuid, field text, label text)
    JOIN vault_value AS this ON this.tenant = :tenant AND this.handle = want.handle
        AND this.field = want.field AND this.label = want.label AND this.version = :version
    LEFT JOIN vault_value AS next ON next.tenant = :tenant AND next.handle = want.handle
        AND next.field = want.field AND next.label = want.label AND next.version = :version + 1
    """
)
_field: Final = msgspec.json.Decoder(Field)


class SqlValueStore:
    """Keeps sealed values and the registry of fields; rows never leave this class.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def fields(self) -> Mapping[str, Field]:
        found = await self._connection.execute(_FIELDS, {"tenant": self._tenant})
        return {**BUILT_IN, **{name: _field.decode(body) for name, body in found}}

    async def find(self, wanted: Mapping[Handle, Collection[Name]], *, version: int | None = None) -> Sequence[Sealed]:
        rows = [
            {"handle": handle, "field": name.field, "label": name.label}
            for handle, names in wanted.items()
            for name in names
        ]
        if not rows:
            return []
        parameters: dict[str, Any] = {"tenant": self._tenant, "wanted": msgspec.json.encode(rows).decode()}
        if version is None:
            found = await self._connection.execute(_LATEST, parameters)
        else:
            found = await self._connection.execute(_VERSION, {**parameters, "version": version})
        return [
            Sealed(handle=Handle(handle), name=Name(field, label), version=each, sealed=sealed, at=at, until=until)
            for handle, field, label, each, sealed, at, until in found
        ]
