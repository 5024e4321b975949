"""Finds people by the lists, and does what follows: they are opted out, and asked to be deleted."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final
from uuid import UUID, uuid5

from service.audit import AuditEvent
from service.consent import Action, RecordChannel, Statement, StoreRecords, Submission
from service.drop.domain import Found, Record, Rules
from service.drop.people import Value, asked, hashes
from service.drop.ports import Begin, DropTransaction, Mark
from service.events import Event
from service.kernel import Caller, Clock, Handle, NewId, SubjectId, TenantId
from service.requests import (
    Move,
    MoveNotAllowed,
    MoveRequest,
    OpenRequest,
    RequestMoved,
    Right,
    Said,
    Standing,
    State,
    Via,
    Wish,
)
from service.vault import FieldsOf, KeyAccess, Name, OpenValues, Unreadable, drop_mark

PEOPLE: Final = 200
"""So many are compared with the lists in one transaction."""
EVIDENCE: Final = "drop"
_RECORDS: Final = UUID("6f1f9c1e-5a2b-5d0c-9c3e-0d70a1b2c3d4")
"""Under it lie the ids of the records that being found makes."""


class MarkPeople:
    """Work out what the lists could have of people, and find those whom they do have."""

    def __init__(
        self, begin: Begin, keys: KeyAccess, fields_of: FieldsOf, open_values: OpenValues, clock: Clock
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._fields_of = fields_of
        self._open_values = open_values
        self._clock = clock

    async def __call__(self, tenant: TenantId) -> int:
        """Return with how many people it got on; none are left then, or others are at work on them.

        Raises:
            RingUnavailable
        """
        key = await self._keys.suppression_key(tenant)
        async with self._begin(tenant) as tx:
            due = await tx.drop.due(PEOPLE)
            keys = await tx.keys.subject_keys(due, hold=True)
            held = await tx.drop.hold(due)
            if not held:
                return 0
            there = [handle for handle in held if handle in keys and not keys[handle].destroyed]
            opened = await self._opened(tenant, await tx.drop.values(there))
            marks: dict[Handle, set[Mark]] = {handle: set() for handle in held if handle not in there}
            for handle, values in opened.items():
                marks[handle] = {(list_, drop_mark(key, list_.value, each)) for list_, each in hashes(values)}
            now = self._clock()
            await tx.drop.mark(marks, now)
            await tx.drop.postpone(set(held) - marks.keys(), now)
        return len(marks)

    async def _opened(self, tenant: TenantId, names: Mapping[Handle, Sequence[str]]) -> Mapping[Handle, list[Value]]:
        """Return what is kept of each that a list could have. Who has a value that doesn't open is left out."""
        fields = await self._fields_of(tenant)
        wanted = {
            handle: [name for name in each if (field := fields.get(Name.of(name).field)) and asked(field)]
            for handle, each in names.items()
        }
        try:
            opening = await self._open_values(tenant, wanted, fields=fields)
        except Unreadable:
            if len(wanted) == 1:
                return {}
            return {
                handle: values
                for one in names
                for handle, values in (await self._opened(tenant, {one: names[one]})).items()
            }
        return {
            handle: [
                Value(field=(name := Name.of(each.name).field), type=fields[name].type.value, value=each.value)
                for each in values.values()
            ]
            for handle, values in opening.values.items()
        }


class Follow:
    """Do what follows from being found, each step once. Killed at any moment, the next run does the rest."""

    def __init__(
        self,
        begin: Begin,
        rules: Rules,
        append: StoreRecords,
        open_request: OpenRequest,
        move_request: MoveRequest,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._begin = begin
        self._rules = rules
        self._append = append
        self._open_request = open_request
        self._move_request = move_request
        self._clock = clock
        self._new_id = new_id

    async def due(self, tenant: TenantId) -> Sequence[Sequence[Found]]:
        """Return people of whom nothing has followed yet, each with what found them."""
        async with self._begin(tenant) as tx:
            found = await tx.drop.unfollowed(PEOPLE)
        return [list(group) for _, group in groupby(found, key=lambda each: each.handle)]

    async def __call__(self, person: Sequence[Found], *, by: Caller) -> None:
        """Do what follows for one of them."""
        handle = person[0].handle
        await self._forward(handle, [each for each in person if not each.removed], by)
        await self._back(handle, [each for each in person if each.removed], by)

    async def _forward(self, handle: Handle, found: Sequence[Found], by: Caller) -> None:
        """Opt somebody out at once, and ask for their deletion, unless others have what was hashed as well."""
        if not found:
            return
        alone = {each.item for each in found if each.people <= 1 or each.request is not None}
        request: UUID | None = None
        standing: Standing | None = None
        async with self._begin(by.tenant) as tx:
            name = await _name(tx, handle)
            if name is not None and alone:
                request = await tx.drop.requested(handle) or self._new_id()
                stored = await tx.requests.find(request)
                standing = None if stored is None else stored[1]
            for each in found:
                shared = each.item not in alone
                await tx.drop.settle(each.item, handle, shared=shared, request=None if shared else request)
            if name is not None:
                records = [self._record(name, each, shared=each.item not in alone) for each in found]
                if (await self._append.within(tx, records, by=by)).stored:
                    await _told(tx, handle, by, self._clock)
        if name is not None and request is not None:
            if standing is None:
                said = Said(via=Via.DROP, law=self._rules.law, received_at=min(each.at for each in found))
                wish = Wish(id=request, subject=name, right=Right.ERASURE, said=said)
                standing = (await self._open_request(wish, by=by))[0].standing
            if standing.state is State.RECEIVED:  # the register has looked who asks
                try:
                    await self._move(request, Move.VERIFY, standing.version, by, reason=self._rules.method)
                except RequestMoved:  # at this moment: the next look sees how far it is
                    return
        async with self._begin(by.tenant) as tx:
            await tx.drop.followed(handle, [each.item for each in found], self._clock())

    def _record(self, subject: SubjectId, found: Found, *, shared: bool) -> Submission:
        says: Record = self._rules.of_several if shared else self._rules.of_one
        return Submission(
            id=uuid5(_RECORDS, f"{found.item}/{found.handle}/{says.action}"),
            subject=subject,
            statement=Statement(
                ts=found.at,
                channel=RecordChannel.ANY,
                purpose=says.purpose,
                action=Action(says.action),
                evidence=EVIDENCE,
            ),
        )

    async def _back(self, handle: Handle, found: Sequence[Found], by: Caller) -> None:
        """Withdraw a request that rests on nothing any more, if it isn't carried out yet."""
        for request in sorted({each.request for each in found if each.request is not None}):
            async with self._begin(by.tenant) as tx:
                wanted = await tx.drop.wanted(request)
                stored = await tx.requests.find(request)
            if not wanted and stored is not None:
                try:
                    with suppress(MoveNotAllowed):
                        await self._move(request, Move.WITHDRAW, stored[1].version, by)
                except RequestMoved:  # at this moment: the next look sees how far it is
                    return
        if not found:
            return
        async with self._begin(by.tenant) as tx:
            await tx.drop.unmatch(handle, [each.item for each in found])

    async def _move(self, request: UUID, move: Move, version: int, by: Caller, reason: str | None = None) -> None:
        await self._move_request(request, move, version=version, reason=reason, authority=None, by=by)


async def _name(tx: DropTransaction, handle: Handle) -> SubjectId | None:
    """Return the id of somebody, and keep others from them until this ends; nobody has it any more who was erased."""
    if (found := await tx.subjects.lock_current(handle)) is None:
        return None
    return (await tx.subjects.names([found.handle])).get(found.handle)


async def _told(tx: DropTransaction, handle: Handle, by: Caller, clock: Clock) -> None:
    event = AuditEvent.DROP_MATCHED
    await tx.audit.append(event=event, object_id=str(handle), by=by, subject=handle)
    await tx.outbox.add([Event(type=event.value, object_id=str(handle), subject=handle, at=clock())])
