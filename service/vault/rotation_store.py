from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import TenantId
from service.vault.domain import RootUse

_ROOT_VERSIONS: Final = text("SELECT ring, version, keys FROM vault_root_versions() ORDER BY ring, version")


class SqlRotationStore:
    """What takes place when keys are replaced.

    Never commits: the transaction that built the store does.
    """

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def root_uses(self) -> Sequence[RootUse]:
        found = await self._connection.execute(_ROOT_VERSIONS)
        return [RootUse(ring=ring, version=version, keys=keys) for ring, version, keys in found]
