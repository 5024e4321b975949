"""What a request says about its subject, as a flag that every check reads."""

from datetime import datetime

from msgspec.structs import replace

from service.kernel import Caller
from service.requests.case import Request
from service.requests.ports import RequestTransaction
from service.requests.rights import Mark
from service.subjects import Flags, Subject, flagged


async def marked_by(tx: RequestTransaction, request: Request, mark: Mark | None, now: datetime, by: Caller) -> None:
    """Flag the subject as a request of theirs says from now on. Somebody who was erased has no flags."""
    if mark is not None and (subject := await tx.subjects.lock_current(request.handle)) is not None:
        await _flag(tx, subject, _with(subject.flags, mark, now), by)


async def no_longer_marked_by(tx: RequestTransaction, request: Request, mark: Mark | None, by: Caller) -> None:
    """Take back what a request said about its subject, unless another one still says it."""
    if mark is None or (subject := await tx.subjects.lock_current(request.handle)) is None:
        return
    handles = {subject.handle, *await tx.subjects.former(subject.handle)}
    if not await tx.requests.marked(handles, mark, but=request.id):
        await _flag(tx, subject, _without(subject.flags, mark), by)


async def _flag(tx: RequestTransaction, subject: Subject, after: Flags, by: Caller) -> None:
    if after != subject.flags:
        await tx.subjects.set_flags(subject.handle, after)
        await tx.audit.append_many([flagged(subject.handle, after)], by=by)


def _with(flags: Flags, mark: Mark, now: datetime) -> Flags:
    if mark is Mark.ERASURE_PENDING:
        return replace(flags, erasure_pending=True)
    return flags if flags.restricted else replace(flags, restricted=True, restricted_at=now)


def _without(flags: Flags, mark: Mark) -> Flags:
    if mark is Mark.ERASURE_PENDING:
        return replace(flags, erasure_pending=None)
    return replace(flags, restricted=None, restricted_at=None)
