from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from msgspec import Struct

from service.consent import Profiles, StateUnreadable
from service.decisions import Decide, Decision, DecisionView
from service.kernel import Caller, Clock, Handle, NewId, Unavailable
from service.reveals.approval import Approval, ApprovalNeeded, ApprovalUnknown
from service.reveals.domain import Revealed, Wish
from service.reveals.lines import Answered, Asked, BatchQuestion, Outcome
from service.reveals.ports import Begin, Nonce, RevealLog, Together
from service.reveals.usecases import contacted, given, purposes, refuse_outsiders
from service.vault import Opening, OpenValues, Unreadable


class _Settled(Struct, frozen=True, kw_only=True):
    """A line of which is known whether it may be opened."""

    asked: Asked
    outcome: Outcome
    wish: Wish | None = None
    handle: Handle | None = None
    decision: Decision | None = None


class RevealBatch:
    """Read values of many people, as a stream: each decided on, each on the record before its line leaves."""

    def __init__(
        self,
        decide: Decide,
        profiles: Profiles[Any],
        begin: Begin,
        open_values: OpenValues,
        log: RevealLog,
        clock: Clock,
        new_id: NewId,
        nonce: Nonce,
        together: Together,
    ) -> None:
        self._decide = decide
        self._profiles = profiles
        self._begin = begin
        self._open_values = open_values
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._nonce = nonce
        self._together = together

    async def __call__(
        self, question: BatchQuestion, chunks: AsyncIterator[Sequence[Asked]], *, by: Caller
    ) -> AsyncIterator[Sequence[Answered]]:
        """Return the answers to `chunks`, chunk by chunk; the next is taken when the answers before were.

        The first chunk is answered before this returns, so that a question that can't be asked is
        refused as a whole.

        Raises:
            OfficersOnly, ChannelNeeded, UnknownPurpose, UnknownZone
            ApprovalNeeded, ApprovalUnknown, ApprovalUnusable: of a reading by officers.
        """
        refuse_outsiders(question.purpose, by)
        approval = None
        if question.for_officers:
            approval = await self._approved(question, by)
        else:
            contacted(question.channel)
        allowing = await purposes(self._profiles, question.purpose, by.tenant)
        most = None if approval is None else approval.subjects
        work = _Work(self, question, allowing, None if approval is None else approval.id, most, by)
        first = await anext(chunks, None)
        return work.rest([] if first is None else await work.answered(first), chunks)

    async def _approved(self, question: BatchQuestion, by: Caller) -> Approval:
        """Use the approval up. What then fails has to be approved anew: an approval is good for one attempt."""
        if question.approval is None:
            raise ApprovalNeeded("a second officer has to agree first", pointers=["/approval"])
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            approval = await tx.approvals.find(question.approval, hold=True)
            if approval is None:
                raise ApprovalUnknown("there is no approval with this id", pointers=["/approval"])
            approval.check_use(by.actor, question.purpose, question.fields, now)
            await tx.approvals.use(approval.id, at=now)
        return approval

    async def settle(self, question: BatchQuestion, asked: Sequence[Asked], by: Caller) -> Sequence[_Settled]:
        """Decide on each person at once; what they need of the database is asked together."""
        wishes = {each.line: question.about(each.subject) for each in asked if each.subject is not None}
        answers: Sequence[Any]
        if question.for_officers:
            answers = await self._together(self._profiles.read(by.tenant, wish.subject) for wish in wishes.values())
        else:
            channel = contacted(question.channel)
            answers = await self._together(
                self._decide(
                    subject=wish.subject, channel=channel, purpose=wish.purpose, context=wish.context, at=None, by=by
                )
                for wish in wishes.values()
            )
        answered = dict(zip(wishes, answers, strict=True))
        return [
            _settled(each, wishes[each.line], answered[each.line])
            if each.line in wishes
            else _Settled(asked=each, outcome=Outcome.INVALID)
            for each in asked
        ]

    async def open(self, question: BatchQuestion, settled: Sequence[_Settled], by: Caller) -> Mapping[Handle, Opening]:
        """Return what opened, by person; who is missing couldn't be opened.

        Of those who are denied nothing is opened: only whether they were forgotten is asked.
        """
        wanted: dict[Handle, tuple[str, ...]] = {}
        for each in settled:
            if each.handle is not None and not wanted.get(each.handle):
                wanted[each.handle] = question.fields if each.outcome is Outcome.PERMIT else ()
        if not wanted:
            return {}
        try:
            opening = await self._open_values(by.tenant, wanted)
            return dict.fromkeys(wanted, opening)
        except Unavailable:
            return {}
        except Unreadable:  # one damaged value must not close all the others
            opened = {}
            for handle, names in wanted.items():
                try:
                    opened[handle] = await self._open_values(by.tenant, {handle: names})
                except (Unavailable, Unreadable):
                    continue
            return opened

    async def merged(
        self, settled: Sequence[_Settled], opened: Mapping[Handle, Opening], by: Caller
    ) -> AbstractSet[int]:
        """Return the lines of people who have another key by now: they were merged with somebody meanwhile."""
        erased = {handle for handle, opening in opened.items() if handle in opening.erased}
        gone = [each for each in settled if each.handle in erased]
        if not gone:
            return set()
        async with self._begin(by.tenant) as tx:
            return {
                each.asked.line
                for each in gone
                if each.asked.subject is not None and await tx.subjects.handle_of(each.asked.subject) != each.handle
            }

    async def answer(
        self,
        question: BatchQuestion,
        asked: Sequence[Asked],
        allowing: frozenset[str],
        approval: UUID | None,
        by: Caller,
    ) -> Sequence[Answered]:
        settled = await self.settle(question, asked, by)
        opened = await self.open(question, settled, by)
        merged = await self.merged(settled, opened, by)
        now = self._clock()
        reveals: list[Revealed] = []
        answers: list[Answered] = []
        for each in settled:
            opening = None if each.handle is None else opened.get(each.handle)
            if each.asked.line in merged:  # the next who asks is told about who they are now
                answers.append(Answered(asked=each.asked, outcome=Outcome.UNAVAILABLE))
                continue
            if (closed := _closed(each, opening)) is not None or each.wish is None:
                answers.append(closed or Answered(asked=each.asked, outcome=Outcome.INVALID))
                continue
            reveal, shown = given(
                each.wish,
                each.handle,
                each.decision,
                {} if opening is None or each.handle is None else opening.values[each.handle],
                {} if opening is None else opening.fields,
                allowing,
                at=now,
                by=by,
                id_=self._new_id(),
                nonce=self._nonce(),
                approval=approval,
            )
            reveals.append(reveal)
            answers.append(Answered(asked=each.asked, outcome=Outcome.PERMIT, shown=shown))
        try:
            await self._log.append(reveals, by=by)
        except Unavailable:  # what left no trace is not told
            return [
                Answered(asked=each.asked, outcome=Outcome.UNAVAILABLE) if each.shown is not None else each
                for each in answers
            ]
        return answers


class _Work:
    """One stream under way: its question, and how many people an approval still covers."""

    def __init__(
        self,
        batch: RevealBatch,
        question: BatchQuestion,
        allowing: frozenset[str],
        approval: UUID | None,
        left: int | None,
        by: Caller,
    ) -> None:
        self._batch = batch
        self._question = question
        self._allowing = allowing
        self._approval = approval
        self._left = left
        self._by = by

    async def answered(self, asked: Sequence[Asked]) -> Sequence[Answered]:
        beyond: set[int] = set()
        if self._left is not None:
            named = [each.line for each in asked if each.subject is not None]
            beyond = set(named[self._left :])
            self._left = max(0, self._left - len(named))
        within = [each for each in asked if each.line not in beyond]
        answers = await self._batch.answer(self._question, within, self._allowing, self._approval, self._by)
        told = {each.asked.line: each for each in answers}
        return [told.get(each.line) or Answered(asked=each, outcome=Outcome.BEYOND_APPROVAL) for each in asked]

    async def rest(
        self, first: Sequence[Answered], chunks: AsyncIterator[Sequence[Asked]]
    ) -> AsyncIterator[Sequence[Answered]]:
        yield first
        async for chunk in chunks:
            yield await self.answered(chunk)


def _settled(asked: Asked, wish: Wish, answer: Any) -> _Settled:
    """Return what a decision, or for officers a profile, says about a line.

    Raises: what is wrong with the question itself, and so with every line.
    """
    match answer:
        case Decision():
            outcome = Outcome.PERMIT if answer.permit else Outcome.DENY
            return _Settled(asked=asked, outcome=outcome, wish=wish, handle=answer.handle, decision=answer)
        case (None, _):
            return _Settled(asked=asked, outcome=Outcome.UNKNOWN)
        case (profile, _):
            return _Settled(asked=asked, outcome=Outcome.PERMIT, wish=wish, handle=profile.handle)
        case Unavailable() | StateUnreadable():
            return _Settled(asked=asked, outcome=Outcome.UNAVAILABLE)
        case _:
            raise answer


def _closed(settled: _Settled, opening: Opening | None) -> Answered | None:
    """Return the answer to a line that gets no values."""
    if opening is not None and settled.handle in opening.erased:
        return Answered(asked=settled.asked, outcome=Outcome.ERASED)
    if settled.outcome is not Outcome.PERMIT:
        told = None if settled.decision is None else DecisionView.of(settled.decision)
        return Answered(asked=settled.asked, outcome=settled.outcome, decision=told)
    if opening is None and settled.handle is not None:
        return Answered(asked=settled.asked, outcome=Outcome.UNAVAILABLE)
    return None
