"""What a request says about its subject, as a flag that every check reads."""

from datetime import datetime

from msgspec.structs import replace

from service.requests.case import Request
from service.requests.ports import RequestTransaction
from service.requests.rights import Mark
from service.subjects import Flags


async def marked_by(tx: RequestTransaction, request: Request, mark: Mark | None, now: datetime) -> None:
    """Flag the subject as a request of theirs says from now on. Somebody who was erased has no flags."""
    if mark is None or (handle := await tx.subjects.current(request.handle)) is None:
        return
    flags = (await tx.subjects.lock(handle)).flags
    after = _with(flags, mark, now)
    if after != flags:
        await tx.subjects.set_flags(handle, after)


async def no_longer_marked_by(tx: RequestTransaction, request: Request, mark: Mark | None) -> None:
    """Take back what a request said about its subject, unless another one still says it."""
    if mark is None or (handle := await tx.subjects.current(request.handle)) is None:
        return
    flags = (await tx.subjects.lock(handle)).flags
    handles = {handle, *await tx.subjects.former(handle)}
    if not await tx.requests.marked(handles, mark, but=request.id):
        await tx.subjects.set_flags(handle, _without(flags, mark))


def _with(flags: Flags, mark: Mark, now: datetime) -> Flags:
    if mark is Mark.ERASURE_PENDING:
        return replace(flags, erasure_pending=True)
    return flags if flags.restricted else replace(flags, restricted=True, restricted_at=now)


def _without(flags: Flags, mark: Mark) -> Flags:
    if mark is Mark.ERASURE_PENDING:
        return replace(flags, erasure_pending=None)
    return replace(flags, restricted=None, restricted_at=None)
