"""Versions of values go when their field's retention has ended: by then nobody can open them any more."""

from collections.abc import Sequence
from typing import Final

from service.kernel import Caller, Clock, NewId, TenantId
from service.vault.retention import Expired, Piece, Reached, Retained
from service.vault.retention_ports import Advanced, Begin

BATCH: Final = 1_000
"""Replaced versions that one transaction looks at."""
_NO_TENANT: Final = TenantId("")


class ExpireVersions:
    """Remove what is past its retention, in small steps.

    How far it has got is in no place: what is left is left to do. So it can be killed at any moment, called again,
    and run twice at once.
    """

    def __init__(self, begin: Begin, clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self, advanced: Advanced, *, actor: str, tenant: TenantId | None = None, dry: bool = False
    ) -> Sequence[Expired]:
        """Return of each field that has a retention what was removed; with `dry`, what would be.

        Of all tenants, or of one. `actor` is `worker` or `operator`.
        """
        async with self._begin(tenant or _NO_TENANT) as tx:
            fields = [each for each in await tx.retention.retained() if tenant in (None, each.tenant)]
        return [await self._of(each, advanced, actor, dry=dry) for each in fields]

    async def _of(self, each: Retained, advanced: Advanced, actor: str, *, dry: bool) -> Expired:
        by = Caller(tenant=each.tenant, actor=actor, request=str(self._new_id()))
        now = self._clock()
        removed = held = 0
        after: Reached | None = None
        while True:
            async with self._begin(each.tenant) as tx:
                piece: Piece = (
                    await tx.retention.over(each.field, now, after=after, limit=BATCH)
                    if dry
                    else await tx.retention.expire(
                        each.field, now, after=after, limit=BATCH, entry=self._new_id(), by=by
                    )
                )
            removed, held, after = removed + piece.removed, held + piece.held, piece.last
            advanced(each, removed)
            if after is None:
                break
        return Expired(tenant=each.tenant, field=each.field, retention_days=each.days, removed=removed, held=held)
