"""The hot read: one row a check, for all checks of an event-loop turn at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from psycopg_pool import AsyncConnectionPool

from service.audit import Secret
from service.consent.domain import Profile, StateUnreadable
from service.consent.fold import EMPTY, decode
from service.consent.ports import Alongside
from service.db import TENANT_SETTING, Coalescer, lease
from service.kernel import Handle, SubjectId, TenantId, Unavailable
from service.subjects import NO_FLAGS, Flags, SubjectFacts
from service.wire import Rows, Statement, exchange

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"
_PROFILES: Final = """
    SELECT found.*
    FROM string_to_table(%(names)s, ',') AS asked (subject)
    CROSS JOIN LATERAL (
        SELECT who.subject, who.handle, who.version, who.facts, who.flags, will.version, will.state, hidden.secret
        FROM subject AS who
        LEFT JOIN consent_state AS will ON will.tenant = who.tenant AND will.handle = who.handle
        LEFT JOIN commitment_secret AS hidden ON hidden.tenant = who.tenant AND hidden.handle = who.handle
        WHERE who.tenant = %(tenant)s AND who.subject = asked.subject
        OFFSET 0
    ) AS found
"""
"""Each is looked up by itself (ADR 0030)."""
_MAPPINGS: Final = """
    SELECT purpose, maps_to FROM purpose
    WHERE tenant = %(tenant)s AND purpose = ANY(string_to_array(%(names)s, ','))
"""
_REMEMBERED: Final = 10_000
_facts: Final = msgspec.json.Decoder(SubjectFacts)
_flags: Final = msgspec.json.Decoder(Flags)

_Key = tuple[TenantId, str]
G = TypeVar("G")
_NOBODY: Final = ""
"""No subject's id: who asks for it wants to know what governs the tenant."""


class ProfileReader(Generic[G]):
    """Reads profiles from a pool of the application role.

    Only the mappings of purposes are remembered: they never change. The setting of the
    tenant and its queries travel in one pipeline, which is one implicit transaction.
    """

    def __init__(self, pool: AsyncConnectionPool, alongside: Alongside[G]) -> None:
        self._pool = pool
        self._alongside = alongside
        self._profiles: Coalescer[_Key, tuple[Profile | StateUnreadable | None, G]] = Coalescer(self._read)
        self._mappings: Coalescer[_Key, str] = Coalescer(self._map)
        self._known: dict[_Key, str] = {}

    async def read(self, tenant: TenantId, subject: SubjectId) -> tuple[Profile | None, G]:
        """Return the profile, ``None`` for a subject who is unknown or was erased, and what governs the tenant.

        Raises:
            StateUnreadable: of this subject; the others in the same statement are not harmed.
            Unavailable
        """
        profile, governing = await self._one(tenant, subject)
        if isinstance(profile, StateUnreadable):
            raise profile
        return profile, governing

    async def governing(self, tenant: TenantId) -> G:
        """Return what governs the tenant.

        Raises:
            Unavailable
        """
        return (await self._one(tenant, _NOBODY))[1]

    async def maps_to(self, tenant: TenantId, purpose: str) -> str | None:
        """Return the known purpose that a tenant's own one maps onto; ``None`` when it is not registered."""
        key = tenant, purpose
        known = self._known.get(key) or await self._mappings(key)
        if known is not None and len(self._known) < _REMEMBERED:
            self._known[key] = known
        return known

    async def _one(self, tenant: TenantId, subject: str) -> tuple[Profile | StateUnreadable | None, G]:
        found = await self._profiles((tenant, subject))
        if found is None:
            raise Unavailable("nobody answered for the subject")
        return found

    async def _read(self, keys: Sequence[_Key]) -> Mapping[_Key, tuple[Profile | StateUnreadable | None, G]]:
        found: dict[_Key, tuple[Profile | StateUnreadable | None, G]] = {}
        for tenant, names, rows, beside in await self._ask(_PROFILES, keys, self._alongside.query):
            governing = self._alongside.decode(beside)
            profiles = {row[0]: _profile(*row[1:]) for row in rows}
            found.update({(tenant, name): (profiles.get(name), governing) for name in names})
        return found

    async def _map(self, keys: Sequence[_Key]) -> Mapping[_Key, str]:
        asked = await self._ask(_MAPPINGS, keys, None)
        return {(tenant, row[0]): row[1] for tenant, _, rows, _ in asked for row in rows}

    async def _ask(
        self, query: str, keys: Sequence[_Key], beside: str | None
    ) -> list[tuple[TenantId, list[str], Rows, tuple[Any, ...]]]:
        """Return, for each tenant, the names asked for, their rows, and the row beside them."""
        wanted: dict[TenantId, list[str]] = {}
        for tenant, name in keys:
            wanted.setdefault(tenant, []).append(name)
        more = [] if beside is None else [beside]
        asked: list[Statement] = []
        for tenant, names in wanted.items():
            # Neither a subject id nor a purpose has a comma in it.
            about = {"tenant": tenant, "names": ",".join(names)}
            asked += [(each, about) for each in (_ENTER, query, *more)]
        async with lease(self._pool) as connection:
            rows = iter(await exchange(connection, asked))
        found = []
        for tenant, names in wanted.items():
            next(rows)
            found.append((tenant, names, next(rows), next(iter(next(rows)), ()) if more else ()))
        return found


def _profile(
    handle: Any,
    version: int,
    facts: bytes,
    flags: bytes | None,
    state_format: int | None,
    state: bytes | None,
    secret: bytes | None,
) -> Profile | StateUnreadable:
    try:
        return Profile(
            handle=Handle(handle),
            version=version,
            facts=_facts.decode(facts),
            flags=NO_FLAGS if flags is None else _flags.decode(flags),
            state=EMPTY if state is None or state_format is None else decode(state, version=state_format),
            secret=None if secret is None else Secret(secret),
        )
    except StateUnreadable as error:
        return error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return StateUnreadable("the facts or flags of a subject are damaged")
