from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.decisions.permits import Kept, Permit
from service.kernel import Handle, SubjectId, TenantId

_STAMP: Final = """
    sha256(convert_to(concat_ws(' ',
        who.handle,
        who.version,
        encode(sha256(coalesce(who.flags, '')), 'hex'),
        encode(sha256(coalesce(will.state, '')), 'hex'),
        coalesce((SELECT max(version) FROM policy_overlay WHERE tenant = :tenant), 0),
        coalesce((SELECT max(id) FROM policy_activation), 0)
    ), 'UTF8'))
"""
"""All that a check reads: `version` is that of the facts."""
_WILL: Final = "LEFT JOIN consent_state AS will ON will.tenant = who.tenant AND will.handle = who.handle"
_CHANGED: Final = f"who.handle IS NULL OR issued.stamp <> {_STAMP}"
"""Who was erased, or merged into another, has no row by this handle."""
_ISSUED: Final = f"""
    FROM permit AS issued
    LEFT JOIN subject AS who
        ON who.tenant = issued.tenant AND who.handle = issued.handle AND who.merged_at IS NULL
    {_WILL}
    WHERE issued.tenant = :tenant
"""
_NAMED: Final = f"FROM subject AS who {_WILL} WHERE who.tenant = :tenant AND who.subject = :name"

_READ_STAMP: Final = text(f"SELECT {_STAMP} {_NAMED}")
_FIND: Final = text(f"SELECT issued.*, {_CHANGED} AS changed {_ISSUED} AND issued.jti = :jti")
_ENDED: Final = text(f"SELECT issued.jti {_ISSUED} AND issued.expires_at > :since AND ({_CHANGED})")
_BURN: Final = text(
    "UPDATE permit SET burned_at = :at WHERE tenant = :tenant AND jti = :jti AND burned_at IS NULL RETURNING jti"
)
_KIDS: Final = text("SELECT DISTINCT kid FROM permit WHERE tenant = :tenant AND expires_at > :since")
_EXPIRE: Final = text("SELECT expire_permits(:over_since)")


class SqlPermitStore:
    """Reads permits and uses them up. `decisions/log.py` stores them, each with its decision."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def stamp(self, subject: SubjectId) -> bytes | None:
        found = await self._connection.scalar(_READ_STAMP, {"tenant": self._tenant, "name": subject})
        return None if found is None else bytes(found)

    async def find(self, jti: UUID) -> Kept | None:
        row = (await self._connection.execute(_FIND, {"tenant": self._tenant, "jti": jti})).mappings().first()
        if row is None:
            return None
        permit = Permit(
            jti=row["jti"],
            handle=Handle(row["handle"]),
            decision=row["decision"],
            stamp=row["stamp"],
            kid=row["kid"],
            issued_at=row["issued_at"],
            expires_at=row["expires_at"],
        )
        return Kept(permit=permit, changed=row["changed"], burned_at=row["burned_at"])

    async def burn(self, jti: UUID, at: datetime) -> bool:
        burned = await self._connection.execute(_BURN, {"tenant": self._tenant, "jti": jti, "at": at})
        return burned.first() is not None

    async def expire(self, over_since: datetime) -> int:
        """Remove permits of all tenants that were over by an instant, as the worker; return how many those were."""
        return int(await self._connection.scalar(_EXPIRE, {"over_since": over_since}) or 0)

    async def ended(self, since: datetime) -> Sequence[UUID]:
        found = await self._connection.execute(_ENDED, {"tenant": self._tenant, "since": since})
        return list(found.scalars())

    async def kids(self, since: datetime) -> Collection[str]:
        found = await self._connection.execute(_KIDS, {"tenant": self._tenant, "since": since})
        return set(found.scalars())
