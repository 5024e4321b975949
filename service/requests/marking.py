"""What a request says about its subject, as a flag that every check reads."""

from datetime import datetime

from msgspec.structs import replace

from service.kernel import Caller, Handle
from service.requests.case import Request
from service.requests.ports import RequestTransaction
from service.requests.rights import Mark
from service.subjects import Flags, flagged


async def marked_by(tx: RequestTransaction, request: Request, mark: Mark | None, now: datetime, by: Caller) -> None:
    """Flag the subject as a request of theirs says from now on. Somebody who was erased has no flags."""
    if mark is None or (handle := await tx.subjects.current(request.handle)) is None:
        return
    flags = (await tx.subjects.lock(handle)).flags
    await _flag(tx, handle, flags, _with(flags, mark, now), by)


async def no_longer_marked_by(tx: RequestTransaction, request: Request, mark: Mark | None, by: Caller) -> None:
    """Take back what a request said about its subject, unless another one still says it."""
    if mark is None or (handle := await tx.subjects.current(request.handle)) is None:
        return
    flags = (await tx.subjects.lock(handle)).flags
    handles = {handle, *await tx.subjects.former(handle)}
    if not await tx.requests.marked(handles, mark, but=request.id):
        await _flag(tx, handle, flags, _without(flags, mark), by)


async def _flag(tx: RequestTransaction, handle: Handle, before: Flags, after: Flags, by: Caller) -> None:
    if after != before:
        await tx.subjects.set_flags(handle, after)
        await tx.audit.append_many([flagged(handle, after)], by=by)


def _with(flags: Flags, mark: Mark, now: datetime) -> Flags:
    if mark is Mark.ERASURE_PENDING:
        return replace(flags, erasure_pending=True)
    return flags if flags.restricted else replace(flags, restricted=True, restricted_at=now)


def _without(flags: Flags, mark: Mark) -> Flags:
    if mark is Mark.ERASURE_PENDING:
        return replace(flags, erasure_pending=None)
    return replace(flags, restricted=None, restricted_at=None)
