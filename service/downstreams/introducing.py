"""By what systems know a person that don't know the tenant's ids: opened for them, each time with its trace."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct

from service.downstreams.domain import Identity, TaskKind
from service.downstreams.ports import BeginIntroducing
from service.kernel import Caller, Clock, Handle, NewId, TenantId
from service.reveals import Nonce, Revealed, RevealLog
from service.vault import BoxKey, KeyAccess, Name, Opened, OpenValues

PURPOSE: Final = "dsr_response"


class Introduced(Struct, frozen=True, kw_only=True):
    """What tasks about a person are sealed with, and what is in them. Never kept longer than that takes."""

    key: BoxKey
    identities: tuple[Identity, ...] = ()
    """By all that some system may be told. Each task has those of its own system."""

    def __repr__(self) -> str:
        return "Introduced(hidden)"


class Introduce:
    """Open the values by which the systems that take some tasks may know a person, and no others."""

    def __init__(
        self,
        begin: BeginIntroducing,
        keys: KeyAccess,
        open_values: OpenValues,
        log: RevealLog,
        clock: Clock,
        new_id: NewId,
        nonce: Nonce,
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._open_values = open_values
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._nonce = nonce

    async def __call__(
        self, tenant: TenantId, kinds: Collection[TaskKind], handles: Sequence[Handle], *, by: Caller
    ) -> Introduced:
        """Return what tasks of these kinds are made of. Ask before the transaction begins in which they are assigned.

        Each system that is to be told something is a reveal, durable when this returns. Of who was forgotten there is
        nothing to be told.

        Raises:
            RingUnavailable, Unreadable, Unavailable: nothing is told.
        """
        key = await self._keys.box_key(tenant)
        wanted: dict[Handle, list[str]] = {}
        async with self._begin(tenant) as tx:
            told = {
                system.name: frozenset(system.identities)
                for kind in kinds
                for system in await tx.downstreams.taking(kind)
                if system.identities
            }
            fields = frozenset[str]().union(*told.values())
            for handle in handles if fields else ():
                standings = await tx.values.versions(handle)
                current = [str(each.name) for each in standings if each.until is None and not each.deleted]
                if names := [name for name in current if Name.of(name).field in fields]:
                    wanted[handle] = names
        if not wanted:
            return Introduced(key=key)
        opening = await self._open_values(tenant, wanted)
        await self._log.append(
            [
                self._reveal(handle, system, shown)
                for handle, values in opening.values.items()
                for system, may in told.items()
                if (shown := {name: each for name, each in values.items() if Name.of(name).field in may})
            ],
            by=by,
        )
        found = {
            Identity(Name.of(name).field, each.value): None
            for values in opening.values.values()
            for name, each in values.items()
        }
        return Introduced(key=key, identities=tuple(found))

    def _reveal(self, handle: Handle, system: str, shown: Mapping[str, Opened]) -> Revealed:
        return Revealed(
            id=self._new_id(),
            handle=handle,
            fields={name: each.version for name, each in sorted(shown.items())},
            masked={},
            purpose=PURPOSE,
            channel=None,
            decision=None,
            at=self._clock(),
            actor=f"downstream:{system}",
            nonce=self._nonce(),
        )
