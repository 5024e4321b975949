from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Any, Final
from uuid import UUID

from service.consent import Channel, Profiles, is_tenant_purpose
from service.decisions import Context, Decide, Decision, DecisionView
from service.kernel import Caller, Clock, Handle, NewId, TenantId, Unavailable
from service.reveals.approval import ALONE, TooManyPeople
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
from service.reveals.ports import AloneStore, Begin, Nonce, OpenOne, RevealLog
from service.reveals.token import TokenUnknown, digest
from service.subjects import UnknownSubject
from service.vault import (
    OFFICER_PURPOSES,
    Field,
    Opened,
    Opening,
    OpenValues,
    RingUnavailable,
    SubjectErased,
    Wanted,
)

FOLLOWED: Final = 3
"""So often a reveal begins anew, with its decision, because the person was merged with somebody meanwhile."""


class _Merged(Exception):
    """The person has another handle by now than the one that was decided on."""


class Reveal:
    """Read values of one person: decide first, open then, and leave a trace before anything is told."""

    def __init__(
        self,
        decide: Decide,
        profiles: Profiles[Any],
        begin: Begin,
        open_values: OpenValues,
        open_one: OpenOne,
        log: RevealLog,
        clock: Clock,
        new_id: NewId,
        nonce: Nonce,
        *,
        most_alone: int,
    ) -> None:
        self._decide = decide
        self._profiles = profiles
        self._begin = begin
        self._open_values = open_values
        self._open_one = open_one
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._nonce = nonce
        self._most_alone = most_alone

    async def __call__(self, wish: Wish, *, by: Caller) -> Shown:
        """Return the values that `by` may have now; those of fields that aren't for it are masked.

        Raises:
            RevealDenied: the decision is no. It is in the details, and was logged.
            OfficersOnly, ChannelNeeded, UnknownPurpose, UnknownZone: the question can't be asked like this.
            TooManyPeople: an officer reads more people one by one than may be without an approval.
            UnknownSubject: an officer asks about somebody nobody told us about; to others it is a denial.
            SubjectErased
            DecisionUnavailable, Unavailable, Unreadable: nothing was opened, or nothing is told of it.
        """
        refuse_outsiders(wish.purpose, by, version=wish.version)
        for _ in range(FOLLOWED):
            try:
                return await self._revealed(wish, by)
            except _Merged:
                continue
        raise merging()

    async def _revealed(self, wish: Wish, by: Caller) -> Shown:
        decision = None
        if wish.for_officers:
            handle: Handle | None = await self._admitted(wish, by)
        else:
            decision = await self._decided(wish, by)
            handle = decision.handle
        now = self._clock()
        opened: Mapping[str, Opened] = {}
        fields: Mapping[str, Field] = {}
        if handle is not None:
            opening = await self._opened(wish, handle, by)
            if handle in opening.erased:
                raise await self._gone(wish, handle, by.tenant)
            opened, fields = opening.values[handle], opening.fields
        allowing = await purposes(self._profiles, wish.purpose, by.tenant)
        reveal, shown = given(
            wish, handle, decision, opened, fields, allowing, at=now, by=by, id_=self._new_id(), nonce=self._nonce()
        )
        await self._log.append([reveal], by=by)
        return shown

    async def resolved(self, token: str, channel: Channel | None, context: Context, *, by: Caller) -> Wish:
        """Return what a token asks for.

        Raises:
            TokenUnknown: also to everybody but its recipient.
            SubjectErased
            Unavailable: whose it is is merged with somebody at this moment.
        """
        async with self._begin(by.tenant) as tx:
            stand_in = await tx.tokens.find(digest(token))
            if stand_in is None or stand_in.recipient != by.actor:
                raise TokenUnknown("there is no such token for this client")
            subject = (await tx.subjects.names([stand_in.handle])).get(stand_in.handle)
            if subject is None and await tx.tokens.find(digest(token)) != stand_in:
                raise merging()
        if subject is None:
            raise erased()
        return Wish(
            subject=subject, fields=(stand_in.name,), purpose=stand_in.purpose, channel=channel, context=context
        )

    async def _opened(self, wish: Wish, handle: Handle, by: Caller) -> Opening:
        """Open what is wished, together with what others wish at this moment; older versions by themselves."""
        if wish.version is None:
            return await self._open_one(Wanted(handle=handle, names=wish.fields, by=by))
        return await self._open_values(by.tenant, {handle: wish.fields}, version=wish.version)

    async def _admitted(self, wish: Wish, by: Caller) -> Handle:
        """Return whom an officer may read alone; that it was asked counts, whatever becomes of it."""
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            handle = await tx.subjects.handle_of(wish.subject)
            if handle is None:
                raise UnknownSubject("there is no such subject")
            await admit_alone(tx.alone, handle, by, most=self._most_alone, now=now)
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
            if decision.handle is not None and await self._is_erased(decision.handle, by):
                raise await self._gone(wish, decision.handle, by.tenant)
            raise RevealDenied("the decision is no, so nothing was opened", decision=DecisionView.of(decision))
        return decision

    async def _gone(self, wish: Wish, handle: Handle, tenant: TenantId) -> Exception:
        """Return why there is no key: the person was forgotten, or a merge gave them another one meanwhile."""
        async with self._begin(tenant) as tx:
            return erased() if await tx.subjects.handle_of(wish.subject) == handle else _Merged()

    async def _is_erased(self, handle: Handle, by: Caller) -> bool:
        """Return whether the key is gone for good. Where no ring answers, the denial alone is told."""
        try:
            return handle in (await self._open_one(Wanted(handle=handle, names=(), by=by))).erased
        except RingUnavailable:
            return False


async def admit_alone(alone: AloneStore, handle: Handle, by: Caller, *, most: int, now: datetime) -> None:
    """Count a person whom an officer reads with nobody's approval.

    Raises:
        TooManyPeople
    """
    first = await alone.admit(by.actor, handle, most=most, since=now - ALONE, at=now)
    if first is not None:
        raise TooManyPeople(
            f"without an approval a client reads {most} people an hour; ask for one, and read a batch",
            after=max(1, ceil((first + ALONE - now).total_seconds())),
        )


def refuse_outsiders(purpose: str, by: Caller, *, version: int | None = None) -> None:
    """Refuse what only officers may ask.

    Raises:
        OfficersOnly
    """
    for_officers = purpose in OFFICER_PURPOSES
    if OFFICER in by.scopes or not (for_officers or version is not None):
        return
    pointer = "/purpose" if for_officers else "/version"
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


def merging() -> Unavailable:
    return Unavailable("somebody merges them with others at this moment; asking again is safe")


def erased() -> SubjectErased:
    return SubjectErased("this person was forgotten, and what was kept of them can't be opened any more")


def given(
    wish: Wish,
    handle: Handle | None,
    decision: Decision | None,
    opened: Mapping[str, Opened],
    fields: Mapping[str, Field],
    allowing: frozenset[str],
    *,
    at: datetime,
    by: Caller,
    id_: UUID,
    nonce: bytes,
    approval: UUID | None = None,
) -> tuple[Revealed, Shown]:
    """Return what is kept of a reveal, and what is told once that is durable."""
    plain, masked = parted(opened, fields, allowing, wish.decided_on)
    told = None if decision is None else DecisionView.of(decision)
    reveal = Revealed(
        id=id_,
        handle=handle,
        fields={name: value.version for name, value in plain.items()},
        masked={name: value.version for name, value in masked.items()},
        purpose=wish.purpose,
        channel=wish.channel,
        decision=None if decision is None else decision.id,
        approval=approval,
        at=at,
        actor=by.actor,
        nonce=nonce,
    )
    shown = Shown(
        id=id_,
        values={name: value.value for name, value in plain.items()},
        masked={name: value.masked for name, value in masked.items()},
        missing=tuple(name for name in wish.fields if name not in opened),
        decision=told,
        expires_at=usable_until(told, at),
    )
    return reveal, shown
