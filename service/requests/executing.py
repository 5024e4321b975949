"""What a move of an erasure has to wait for: nothing may stand against it, and its end is not for anybody to say."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from service.kernel import DomainError, Handle
from service.requests.case import Request
from service.requests.lifecycle import Move, MoveNotAllowed, State
from service.requests.ports import RequestTransaction
from service.requests.rights import Right

RESTRICTED: Final = "restricted"
"""The ground of whom data are kept for that may not be used (GDPR Art. 18)."""


class ErasureHeld(DomainError):
    """A hold or a restriction stands against the erasure. The answer names each ground."""

    code = "erasure_held"


class CertificateNeeded(DomainError):
    """An erasure is answered when it is certified: the worker is not through with it."""

    code = "certificate_needed"


class Standing(Struct, frozen=True, kw_only=True):
    """What stands against an erasure."""

    ground: str
    hold: str | None = None
    """The name of an officer's hold."""


async def check_execution(tx: RequestTransaction, request: Request, state: State, move: Move) -> None:
    """Refuse a move that an erasure isn't ready for.

    Raises:
        ErasureHeld, CertificateNeeded, MoveNotAllowed
    """
    if request.right is not Right.ERASURE:
        return
    if move is Move.EXECUTE and (found := await standing_against(tx, await handles_of(tx, request.handle))):
        raise ErasureHeld("something stands against it", grounds=sorted({one.ground for one in found}))
    if move is Move.COMPLETE and not await tx.erasures.certified(request.id):
        raise CertificateNeeded("the erasure has no certificate yet")
    if move is Move.REFUSE and await tx.erasures.destroyed(request.id):
        raise MoveNotAllowed("the person was forgotten already", state=state, moves=[Move.COMPLETE, Move.EXTEND])


async def handles_of(tx: RequestTransaction, handle: Handle) -> Sequence[Handle]:
    """Return every handle of whoever has or had one, in their order."""
    current = await tx.subjects.current(handle) or handle
    return sorted({handle, current, *await tx.subjects.former(current)})


async def standing_against(tx: RequestTransaction, handles: Sequence[Handle]) -> Sequence[Standing]:
    """Return why the person with these handles is not to be erased now."""
    found = [Standing(ground=hold.reason.value, hold=hold.name) for hold in await tx.holds.over(handles)]
    for subject in (await tx.subjects.names(handles)).values():
        known = await tx.subjects.find(subject)
        if known is not None and known.flags.restricted:
            found.append(Standing(ground=RESTRICTED))
    return found
