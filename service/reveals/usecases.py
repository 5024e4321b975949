from collections.abc import Callable
from datetime import datetime
from typing import Any

from service.consent import Channel, Profiles, is_tenant_purpose
from service.decisions import Decide, Decision, DecisionView
from service.kernel import Caller, Clock, Handle, NewId, TenantId
from service.reveals.domain import (
    OFFICER,
    ChannelNeeded,
    OfficersOnly,
    RevealDenied,
    Revealed,
    Shown,
    Wish,
    parted,
    usable_until,
)
from service.reveals.ports import Begin, RevealLog
from service.subjects import UnknownSubject
from service.vault import FieldsOf, Opened, OpenValues, RingUnavailable, SubjectErased

Nonce = Callable[[], bytes]
"""Makes random bytes that nobody can guess."""


class Reveal:
    """Read values of one person: decide first, open then, and leave a trace before anything is told."""

    def __init__(
        self,
        decide: Decide,
        profiles: Profiles[Any],
        begin: Begin,
        fields_of: FieldsOf,
        open_values: OpenValues,
        log: RevealLog,
        clock: Clock,
        new_id: NewId,
        nonce: Nonce,
    ) -> None:
        self._decide = decide
        self._profiles = profiles
        self._begin = begin
        self._fields_of = fields_of
        self._open_values = open_values
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._nonce = nonce

    async def __call__(self, wish: Wish, *, by: Caller) -> Shown:
        """Return the values that `by` may have now; those of fields that don't allow the purpose are masked.

        Raises:
            RevealDenied: the decision is no. It is in the details, and was logged.
            OfficersOnly, ChannelNeeded, UnknownPurpose, UnknownZone: the question can't be asked like this.
            UnknownSubject: an officer asks about somebody nobody told us about; to others it is a denial.
            SubjectErased
            DecisionUnavailable, Unavailable, Unreadable: nothing was opened, or nothing is told of it.
        """
        refuse_outsiders(wish, by)
        decision = None
        if wish.for_officers:
            handle: Handle | None = await self._known(wish, by.tenant)
        else:
            decision = await self._decided(wish, by)
            handle = decision.handle
        now = self._clock()
        told = None if decision is None else DecisionView.of(decision)
        fields = await self._fields_of(by.tenant)
        opened: dict[str, Opened] = {}
        if handle is not None:
            opening = await self._open_values(by.tenant, {handle: wish.fields}, version=wish.version, fields=fields)
            if handle in opening.erased:
                raise erased()
            opened = dict(opening.values[handle])
        plain, masked = parted(opened, fields, await purposes(self._profiles, wish.purpose, by.tenant))
        reveal = self._revealed(wish, handle, decision, plain, masked, now, by)
        await self._log.append([reveal], by=by)
        return Shown(
            id=reveal.id,
            values={name: value.value for name, value in plain.items()},
            masked={name: value.masked for name, value in masked.items()},
            missing=tuple(name for name in wish.fields if name not in opened),
            decision=told,
            expires_at=usable_until(told, now),
        )

    async def _known(self, wish: Wish, tenant: TenantId) -> Handle:
        async with self._begin(tenant) as tx:
            handle = await tx.subjects.handle_of(wish.subject)
        if handle is None:
            raise UnknownSubject("there is no such subject")
        return handle

    async def _decided(self, wish: Wish, by: Caller) -> Decision:
        decision = await self._decide(
            subject=wish.subject,
            channel=contacted(wish.channel),
            purpose=wish.purpose,
            context=wish.context,
            at=None,
            by=by,
        )
        if not decision.permit:
            if decision.handle is not None and await self._is_erased(decision.handle, by.tenant):
                raise erased()
            raise RevealDenied("the decision is no, so nothing was opened", decision=DecisionView.of(decision))
        return decision

    async def _is_erased(self, handle: Handle, tenant: TenantId) -> bool:
        """Return whether the key is gone for good. Where no ring answers, the denial alone is told."""
        try:
            return handle in (await self._open_values(tenant, {handle: ()})).erased
        except RingUnavailable:
            return False

    def _revealed(
        self,
        wish: Wish,
        handle: Handle | None,
        decision: Decision | None,
        plain: dict[str, Opened],
        masked: dict[str, Opened],
        now: datetime,
        by: Caller,
    ) -> Revealed:
        return Revealed(
            id=self._new_id(),
            handle=handle,
            fields={name: value.version for name, value in plain.items()},
            masked={name: value.version for name, value in masked.items()},
            purpose=wish.purpose,
            channel=wish.channel,
            decision=None if decision is None else decision.id,
            at=now,
            actor=by.actor,
            nonce=self._nonce(),
        )


def refuse_outsiders(wish: Wish, by: Caller) -> None:
    """Refuse what only officers may ask.

    Raises:
        OfficersOnly
    """
    if OFFICER in by.scopes or not (wish.for_officers or wish.version is not None):
        return
    pointer = "/purpose" if wish.for_officers else "/version"
    raise OfficersOnly("this is for officers alone", pointers=[pointer], scope=OFFICER)


def contacted(channel: Channel | None) -> Channel:
    """Raises: ChannelNeeded"""
    if channel is None:
        raise ChannelNeeded("say on which channel the person is to be contacted", pointers=["/channel"])
    return channel


async def purposes(profiles: Profiles[Any], purpose: str, tenant: TenantId) -> frozenset[str]:
    """Return what fields may allow it by: its own name, and for a tenant's own purpose what that maps onto as well."""
    mapped = await profiles.maps_to(tenant, purpose) if is_tenant_purpose(purpose) else None
    return frozenset({purpose} if mapped is None else {purpose, mapped})


def erased() -> SubjectErased:
    return SubjectErased("this person was forgotten, and what was kept of them can't be opened any more")
