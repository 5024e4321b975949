from collections.abc import Sequence
from uuid import UUID

from msgspec import structs

from service.audit import AuditEvent
from service.exports.domain import (
    AGREE_WITHIN,
    PEOPLE,
    UNDER_WAY,
    UNFINISHED,
    Asked,
    Counted,
    Export,
    ExportUnknown,
    ExportUnusable,
    FilterUnknown,
    Form,
    Order,
    Personal,
    RecipientNeeded,
    State,
    TooManyExports,
    Wanted,
)
from service.exports.ports import Begin, Count, ExportTransaction, Files, IsRecipient
from service.kernel import Caller, Clock, Handle, NewId
from service.reveals import OFFICER, OfficersOnly, SecondPersonNeeded
from service.subjects import UnknownSubject
from service.vault import OFFICER_PURPOSES


class RequestExport:
    """Take on an export. It is written by the worker, once a second person has agreed where that is asked for."""

    def __init__(
        self, begin: Begin, is_recipient: IsRecipient, clock: Clock, new_id: NewId, *, four_eyes: bool
    ) -> None:
        """With `four_eyes`, every export takes a second person."""
        self._begin = begin
        self._is_recipient = is_recipient
        self._clock = clock
        self._new_id = new_id
        self._four_eyes = four_eyes

    async def __call__(self, asked: Asked, *, by: Caller) -> Export:
        """Return the export as it waits.

        Raises:
            ExportUnusable, RecipientNeeded, TooManyExports
            OfficersOnly: it is to have personal data in it.
            UnknownSubject, FilterUnknown
        """
        personal = self._personal(asked, by)
        now, id_ = self._clock(), self._new_id()
        async with self._begin(by.tenant) as tx:
            wanted = await resolved(tx, asked)
            if personal is not None and not 1 <= len(wanted.handles) <= PEOPLE:
                raise ExportUnusable(
                    f"personal data can be had of 1 to {PEOPLE} people, whom you name", pointers=["/wanted/subjects"]
                )
            order = Order(
                form=asked.form,
                wanted=wanted,
                purpose=asked.purpose,
                reference=asked.reference,
                bom=asked.bom,
                personal=personal,
                four_eyes=asked.four_eyes or self._four_eyes or personal is not None,
            )
            if await tx.exports.unfinished(now - AGREE_WITHIN) >= UNFINISHED:
                raise TooManyExports(f"{UNFINISHED} exports are under way")
            state = State.UNAPPROVED if order.four_eyes else State.WAITING
            await tx.exports.add(id_, order, state, at=now, actor=by.actor, request=by.request)
            await tx.audit.append(event=AuditEvent.AUDIT_EXPORT_REQUESTED, object_id=str(id_), by=by)
            return await found(tx, id_)

    def _personal(self, asked: Asked, by: Caller) -> Personal | None:
        if asked.bom and asked.form is not Form.CSV:
            raise ExportUnusable("only a table has a mark of its encoding", pointers=["/bom"])
        if not asked.fields:
            return None
        if OFFICER not in by.scopes:
            raise OfficersOnly("personal data is for officers alone", pointers=["/personal"], scope=OFFICER)
        if asked.purpose not in OFFICER_PURPOSES:
            raise ExportUnusable(
                f"personal data takes one of these purposes: {', '.join(sorted(OFFICER_PURPOSES))}",
                pointers=["/purpose"],
            )
        if asked.form is not Form.PACK:
            raise ExportUnusable("personal data has room in a pack alone", pointers=["/format"])
        if asked.recipient is None:
            raise RecipientNeeded(
                "name the age key that personal data is encrypted to", pointers=["/personal/recipient"]
            )
        if not self._is_recipient(asked.recipient):
            raise ExportUnusable("this is no age key (age1…)", pointers=["/personal/recipient"])
        return Personal(fields=asked.fields, recipient=asked.recipient)


class CountEntries:
    """Say how many entries an export would have, before it is asked for."""

    def __init__(self, begin: Begin, count: Count) -> None:
        self._begin = begin
        self._count = count

    async def __call__(self, asked: Asked, *, by: Caller) -> Counted:
        """Raises: ExportUnusable, UnknownSubject, FilterUnknown"""
        async with self._begin(by.tenant) as tx:
            wanted = await resolved(tx, asked)
        return await self._count(by.tenant, wanted)


class ReadExport:
    """Show an export."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, export: UUID, *, by: Caller) -> Export:
        """Raises: ExportUnknown"""
        async with self._begin(by.tenant) as tx:
            return await found(tx, export)


class ReadExports:
    """Show the tenant's exports, the newest first."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, before: UUID | None, limit: int, by: Caller) -> tuple[Sequence[Export], UUID | None]:
        """Return exports, and before which one to go on if more are there."""
        async with self._begin(by.tenant) as tx:
            page = await tx.exports.page(before=before, limit=limit + 1)
        shown = page[:limit]
        return shown, shown[-1].id if len(page) > limit else None


class ApproveExport:
    """Agree, as a second person, to what somebody else wants to take out."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, export: UUID, *, by: Caller) -> Export:
        """Return the export. Agreeing again is safe for whoever agreed.

        Raises:
            ExportUnknown, SecondPersonNeeded
            ExportUnusable: it doesn't wait for anybody.
            OfficersOnly: personal data is to be in it.
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            asked = await found(tx, export, hold=True)
            if asked.approved_by == by.actor:
                return asked
            if by.actor == asked.actor:
                raise SecondPersonNeeded("somebody else has to agree, with a token of their own")
            if asked.order.personal is not None and OFFICER not in by.scopes:
                raise OfficersOnly("personal data is for officers alone", scope=OFFICER)
            if (state := asked.stands(now)) is not State.UNAPPROVED:
                raise ExportUnusable(f"nothing to agree to: it is {state}", state=state)
            await tx.exports.approve(export, actor=by.actor, at=now)
            await tx.audit.append(event=AuditEvent.AUDIT_EXPORT_APPROVED, object_id=str(export), by=by)
            return await found(tx, export)


class DeleteExport:
    """Stop an export that is under way, and remove the file of one that is done. What was asked stays on record."""

    def __init__(self, begin: Begin, files: Files, clock: Clock) -> None:
        self._begin = begin
        self._files = files
        self._clock = clock

    async def __call__(self, export: UUID, *, by: Caller) -> None:
        """Again is safe.

        Raises:
            ExportUnknown
        """
        async with self._begin(by.tenant) as tx:
            known = await found(tx, export, hold=True)
            if known.state in (*UNDER_WAY, State.DONE):
                await tx.exports.settle(export, State.DELETED, at=self._clock())
                await tx.audit.append(event=AuditEvent.AUDIT_EXPORT_DELETED, object_id=str(export), by=by)
        self._files.remove(by.tenant, str(export))


async def found(tx: ExportTransaction, export: UUID, *, hold: bool = False) -> Export:
    """Raises: ExportUnknown"""
    known = await tx.exports.find(export, hold=hold)
    if known is None:
        raise ExportUnknown("there is no export with this id")
    return known


async def resolved(tx: ExportTransaction, asked: Asked) -> Wanted:
    """Return what is asked for, with what a saved filter says, and the handles of people in place of their names.

    Raises:
        ExportUnusable, FilterUnknown, UnknownSubject
    """
    wanted = asked.wanted
    if asked.filter is not None:
        saved = await tx.exports.filters(name=asked.filter)
        if not saved:
            raise FilterUnknown("there is no filter of this name", pointers=["/filter"])
        own = {name: value for name, value in structs.asdict(wanted).items() if value != getattr(Wanted(), name)}
        wanted = structs.replace(saved[0].wanted, **own)
    handles = set(wanted.handles)
    for place, subject in enumerate(asked.subjects):
        handle = await tx.subjects.handle_of(subject)
        if handle is None:
            raise UnknownSubject("nobody told us about this person", pointers=[f"/wanted/subjects/{place}"])
        handles |= {handle, *(Handle(former) for former in await tx.subjects.former(handle))}
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise ExportUnusable("the period ends before it begins", pointers=["/wanted/to"])
    places, period = wanted.first > 0 or wanted.after is not None, wanted.since or wanted.until
    if places and period:
        raise ExportUnusable("name a period or places", pointers=["/wanted/first", "/wanted/after"])
    return structs.replace(wanted, handles=tuple(sorted(handles)))
