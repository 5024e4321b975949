"""Legal holds: what officers keep from going."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec.structs import replace

from service.audit.domain import AuditEvent
from service.audit.keeping import Hold, HoldRedefined, HoldUnclear, HoldUnknown, Wish
from service.audit.keeping_ports import HoldStore
from service.audit.ports import AuditTrail, SubjectResolver
from service.kernel import Caller, Clock, DomainError, TenantId


class HeldSubjectUnknown(DomainError):
    """Nobody has this id, so nothing of theirs can be held."""

    code = "held_subject_unknown"


class HoldTransaction(Protocol):
    @property
    def holds(self) -> HoldStore: ...
    @property
    def audit(self) -> AuditTrail: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[HoldTransaction]]


class PlaceHold:
    """Keep content from going, from the next step of the worker on."""

    def __init__(self, begin: Begin, resolve: SubjectResolver, clock: Clock) -> None:
        self._begin = begin
        self._resolve = resolve
        self._clock = clock

    async def __call__(self, wish: Wish, *, by: Caller) -> tuple[Hold, bool]:
        """Return the hold, and whether it is new. Placing it again, the same, changes nothing.

        Raises:
            HoldUnclear, HoldRedefined, HeldSubjectUnknown: nothing was stored.
        """
        if wish.since is not None and wish.until is not None and wish.since >= wish.until:
            raise HoldUnclear("`from` is not before `to`", pointers=["/from", "/to"])
        handle = None
        if wish.subject is not None:
            handle = await self._resolve(by.tenant, wish.subject)
            if handle is None:
                raise HeldSubjectUnknown("no such subject", pointers=["/subject"])
        hold = Hold(
            name=wish.name,
            handle=handle,
            since=wish.since,
            until=wish.until,
            reason=wish.reason,
            reference=wish.reference,
            placed_at=self._clock(),
            placed_by=by.actor,
        )
        async with self._begin(by.tenant) as tx:
            known = await tx.holds.lock(wish.name)
            if known is not None and known.lifted_at is None:
                if replace(hold, placed_at=known.placed_at, placed_by=known.placed_by) != known:
                    raise HoldRedefined("this hold is in force and says something else")
                return known, False
            await tx.audit.append(event=AuditEvent.HOLD_PLACED, object_id=hold.name, subject=handle, by=by)
            await tx.holds.put(hold)
        return hold, True


class LiftHold:
    """Let content go again that was held, if nothing else holds it."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, name: str, *, by: Caller) -> Hold:
        """Return the hold as it was. Lifting it again changes nothing.

        Raises:
            HoldUnknown
        """
        async with self._begin(by.tenant) as tx:
            known = await tx.holds.lock(name)
            if known is None:
                raise HoldUnknown("there is no such hold")
            if known.lifted_at is not None:
                return known
            lifted = replace(known, lifted_at=self._clock())
            await tx.audit.append(event=AuditEvent.HOLD_LIFTED, object_id=name, subject=known.handle, by=by)
            await tx.holds.put(lifted)
        return lifted


class ReadHolds:
    """Show what is held, and was."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, after: str | None, limit: int, by: Caller) -> tuple[Sequence[Hold], str | None]:
        """Return at most `limit` holds by name, and the last of their names if more follow."""
        async with self._begin(by.tenant) as tx:
            found = await tx.holds.page(after=after, limit=limit + 1)
        shown = found[:limit]
        return shown, shown[-1].name if len(found) > limit else None
