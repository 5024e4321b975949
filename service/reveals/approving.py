from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from service.audit import AuditEvent, Draft
from service.kernel import Caller, Clock, NewId
from service.reveals.approval import LASTS, Approval, ApprovalState, ApprovalUnknown
from service.reveals.ports import Begin

Seen = tuple[Approval, ApprovalState]
"""An approval, and how it stands now."""


class RequestApproval:
    """Ask a second officer for a reading of many people at once."""

    def __init__(self, begin: Begin, clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self, *, purpose: str, fields: tuple[str, ...], subjects: int, reference: str, by: Caller
    ) -> Seen:
        now = self._clock()
        approval = Approval(
            id=self._new_id(),
            purpose=purpose,
            fields=fields,
            subjects=subjects,
            reference=reference,
            requested_at=now,
            requested_by=by.actor,
            expires_at=now + LASTS,
        )
        async with self._begin(by.tenant) as tx:
            await tx.approvals.add(approval)
            event = AuditEvent.VAULT_APPROVAL_REQUESTED
            await tx.audit.append_many(
                [Draft(event=event, object_id=str(approval.id), payload=approval.asked())], by=by
            )
        return approval, approval.state(now)


class GiveApproval:
    """Agree, as a second person, to what an officer asked for."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, approval: UUID, *, by: Caller) -> Seen:
        """Return the approval. Agreeing again is safe for whoever agreed.

        Raises:
            ApprovalUnknown, SecondPersonNeeded, ApprovalUnusable
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            asked = await tx.approvals.find(approval, hold=True)
            if asked is None:
                raise ApprovalUnknown("there is no approval with this id")
            if asked.approved_by == by.actor:
                return asked, asked.state(now)
            asked.check_second(by.actor, now)
            await tx.approvals.approve(approval, actor=by.actor, at=now)
            given = replace(asked, approved_by=by.actor, approved_at=now)
            event = AuditEvent.VAULT_APPROVAL_GIVEN
            await tx.audit.append_many([Draft(event=event, object_id=str(approval), payload=given.given())], by=by)
        return given, given.state(now)


class ReadApprovals:
    """Show what officers asked of each other, newest first."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, *, before: UUID | None, limit: int, by: Caller) -> tuple[Sequence[Seen], UUID | None]:
        """Return a page, and where to go on if more are there."""
        async with self._begin(by.tenant) as tx:
            found = await tx.approvals.page(before=before, limit=limit + 1)
        shown, now = found[:limit], self._clock()
        return [(each, each.state(now)) for each in shown], shown[-1].id if len(found) > limit else None
