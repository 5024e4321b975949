"""The hot read: one row a check, for all checks of an event-loop turn at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from service.consent.domain import Profile, StateUnreadable
from service.consent.fold import EMPTY, decode
from service.db import TENANT_SETTING, Coalescer, lease
from service.kernel import Handle, SubjectId, TenantId
from service.subjects import SubjectFacts

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %s, true)"
_PROFILES: Final = """
    SELECT who.subject, who.handle, who.version, who.facts, will.version, will.state
    FROM subject AS who
    LEFT JOIN consent_state AS will ON will.tenant = who.tenant AND will.handle = who.handle
    WHERE who.tenant = %s AND who.subject = ANY(string_to_array(%s, ','))
"""
_MAPPINGS: Final = """
    SELECT purpose, maps_to FROM purpose
    WHERE tenant = %s AND purpose = ANY(string_to_array(%s, ','))
"""
_REMEMBERED: Final = 10_000
_facts: Final = msgspec.json.Decoder(SubjectFacts)

_Key = tuple[TenantId, str]


class ProfileReader:
    """Reads profiles from a pool of the application role.

    Only the mappings of purposes are remembered: they never change. The setting of the
    tenant and its query travel in one pipeline, which is one implicit transaction.
    """

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._profiles: Coalescer[_Key, Profile | StateUnreadable] = Coalescer(self._read)
        self._mappings: Coalescer[_Key, str] = Coalescer(self._map)
        self._known: dict[_Key, str] = {}

    async def read(self, tenant: TenantId, subject: SubjectId) -> Profile | None:
        """Return the profile; ``None`` for a subject who is unknown, or was erased.

        Raises:
            StateUnreadable: of this subject; the others in the same statement are not harmed.
            Unavailable
        """
        found = await self._profiles((tenant, subject))
        if isinstance(found, StateUnreadable):
            raise found
        return found

    async def maps_to(self, tenant: TenantId, purpose: str) -> str | None:
        """Return the known purpose that a tenant's own one maps onto; ``None`` when it is not registered."""
        key = tenant, purpose
        known = self._known.get(key) or await self._mappings(key)
        if known is not None and len(self._known) < _REMEMBERED:
            self._known[key] = known
        return known

    async def _read(self, keys: Sequence[_Key]) -> Mapping[_Key, Profile | StateUnreadable]:
        rows = await self._ask(_PROFILES, keys)
        return {(tenant, row[0]): _profile(*row[1:]) for tenant, row in rows}

    async def _map(self, keys: Sequence[_Key]) -> Mapping[_Key, str]:
        return {(tenant, row[0]): row[1] for tenant, row in await self._ask(_MAPPINGS, keys)}

    async def _ask(self, query: str, keys: Sequence[_Key]) -> list[tuple[TenantId, tuple[Any, ...]]]:
        wanted: dict[TenantId, list[str]] = {}
        for tenant, name in keys:
            wanted.setdefault(tenant, []).append(name)
        cursors = []
        async with lease(self._pool) as connection:
            async with connection.pipeline():
                for tenant, names in wanted.items():
                    await connection.execute(_ENTER, (tenant,))
                    # Neither a subject id nor a purpose has a comma in it.
                    cursors.append((tenant, await connection.execute(query, (tenant, ",".join(names)), binary=True)))
            return [(tenant, row) for tenant, cursor in cursors for row in await cursor.fetchall()]


def _profile(
    handle: Any, version: int, facts: bytes, state_format: int | None, state: bytes | None
) -> Profile | StateUnreadable:
    try:
        return Profile(
            handle=Handle(handle),
            version=version,
            facts=_facts.decode(facts),
            state=EMPTY if state is None or state_format is None else decode(state, version=state_format),
        )
    except StateUnreadable as error:
        return error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return StateUnreadable("the facts of a subject are damaged")
