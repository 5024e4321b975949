"""Of what others are told because a request moved: noted with the move, told by the worker, and waited for."""

from typing import Final
from uuid import UUID

from service.downstreams import AssignTasks, Introduce, Person, TaskKind, call_off, is_over, settled, told
from service.kernel import Caller, Clock, DomainError, NewId, TenantId
from service.requests.case import Request
from service.requests.lifecycle import Happened, Move
from service.requests.ports import Begin, RequestTransaction
from service.requests.rights import Holding
from service.requests.statutes import Statutes

WORKER: Final = "worker"
"""The actor of what is done by itself."""
_HELD_UP: Final = {
    Move.COMPLETE: frozenset({Holding.ANSWER}),
    Move.CLOSE: frozenset({Holding.ANSWER, Holding.CLOSE}),
}


class AnswersOwed(DomainError):
    """Connected systems have not answered yet, or were not told yet. The answer names those that owe an answer."""

    code = "answers_owed"


async def note_telling(
    tx: RequestTransaction, statutes: Statutes, request: Request, happened: Happened, *, by: Caller
) -> None:
    """Note with a move of what others are to be told because of it. An erasure tells by its own steps.

    Once a request is refused or withdrawn, nobody is told any more of what it was to bring about, and whoever was told
    and has not answered needn't, but for what took effect on receipt: that stays.
    """
    tells = statutes.rights.tells(request.law, request.right)
    if happened.move in {Move.REFUSE, Move.WITHDRAW}:
        await tx.tellings.take_back(request.id, but=Move.RECEIVE)
        kinds = {each.kind for each in tells if Move.RECEIVE not in each.on}
        await call_off(tx, request.id, kinds, lambda: happened.at, by=by)
    move = Move.RECEIVE if happened.move is Move.REOPEN else happened.move
    for each in tells:
        if move not in each.on or each.kind is TaskKind.ERASE:
            continue
        if each.after is None or await tx.tellings.noted(request.id, each.after):
            await tx.tellings.note(request.id, each.kind, move, happened.at)


async def check_answers(tx: RequestTransaction, statutes: Statutes, request: Request, move: Move) -> None:
    """Refuse a move that waits until every system has answered, or an officer said why it goes on without one.

    Raises:
        AnswersOwed
    """
    waits = _HELD_UP.get(move, frozenset())
    tells = statutes.rights.tells(request.law, request.right)
    kinds = {each.kind for each in tells if each.holds_up in waits}
    if not kinds:
        return
    owed = {each.system for each in await settled(tx, request.id) if each.kind in kinds and not is_over([each])}
    for kind in kinds & set(await tx.tellings.waiting(request.id)):
        owed.update(await told(tx, kind))
    if owed:
        raise AnswersOwed("not every connected system has answered", systems=sorted(owed))


class TellSystems:
    """Give the systems the tasks that moves of a request have noted, as the worker. Again is safe."""

    def __init__(self, begin: Begin, introduce: Introduce, assign: AssignTasks, clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._introduce = introduce
        self._assign = assign
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, tenant: TenantId, request_id: UUID) -> None:
        """Return once every system that takes what was noted has its task. Nobody is told of who was forgotten.

        Raises:
            RingUnavailable, Unreadable, Unavailable: what was noted waits.
        """
        by = Caller(tenant=tenant, actor=WORKER, request=str(self._new_id()))
        async with self._begin(tenant) as tx:
            kinds = await tx.tellings.waiting(request_id)
            stored = await tx.requests.find(request_id)
            handle = None if stored is None else await tx.subjects.current(stored[0].handle)
        handles = [] if handle is None else [handle]
        introduced = await self._introduce(tenant, kinds, handles, by=by)
        async with self._begin(tenant) as tx:
            held = await tx.requests.find(request_id, hold=True)  # nobody moves it meanwhile
            if held is None:
                return
            request, _ = held
            handle = await tx.subjects.current(request.handle)
            subjects = () if handle is None else tuple(sorted(await tx.subjects.aliases(handle)))
            person = Person(
                subjects=subjects,
                identities=introduced.identities,
                regulation="ccpa" if request.law == "CCPA" else "gdpr",
            )
            for kind in await tx.tellings.waiting(request_id):
                if subjects and kind in kinds:
                    await self._assign(tx, introduced.key, request_id, request.handle, kind, person, by=by)
                if not subjects or kind in kinds:
                    await tx.tellings.told(request_id, kind, self._clock())
