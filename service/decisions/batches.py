"""Many people, one question: chunk by chunk, each on the record before anybody hears of it.

Who has a narrow row is answered with all who are alike (`alike.py`). Everybody else is read at length, once: what was
read leaves a narrow row behind. Nothing is remembered about anybody between two chunks.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from service.consent import Channel, Profile, Profiles, StateUnreadable, is_tenant_purpose
from service.decisions.alike import Placed
from service.decisions.asking import Answer, Evaluate, Judged, answer_to, content_hash
from service.decisions.batch_ports import Asked, Known, NarrowRows, PackedLog, Row
from service.decisions.clocks import Zones
from service.decisions.context import Context
from service.decisions.domain import DecisionUnavailable, Question
from service.decisions.facts import Filled
from service.decisions.judging import Judge, plausible_in
from service.decisions.kinds import Kinds, Remembered
from service.decisions.narrow import NEVER, NOBODYS, Framed, Narrow, days_in, framed_by, from_micros, micros, narrowed
from service.decisions.overlay import InForce, Overlay
from service.decisions.packed import ROOM, STRANGER, Breathe, Given, Heading, Told, chunk_id, packed
from service.decisions.ports import Begin, Laws
from service.decisions.simulation import meaning
from service.kernel import Caller, Clock, InTurn, NewId, SubjectId, Turn, Unavailable

TOGETHER: Final = 1_000
"""People who are read at length, or answers that are asked for, together."""
_BREATH: Final = 500
_Key = tuple[Any, ...]


class Part(Struct, frozen=True, kw_only=True):
    """The answers to a chunk."""

    heading: Heading
    answers: tuple[Given, ...]
    told: Sequence[Told | None]
    """A decision for each subject in turn; nothing for one about whom nobody can say."""
    at_length: int
    """How many had to be read at length."""


class DecideBatch:
    """Answer one question about many, and log the answers before they are given."""

    def __init__(
        self,
        rows: NarrowRows,
        log: PackedLog,
        profiles: Profiles[InForce],
        begin: Begin,
        laws: Laws,
        clock: Clock,
        new_id: NewId,
        breathe: Breathe,
        in_turn: InTurn,
    ) -> None:
        self.rows = rows
        self.log = log
        self.laws = laws
        self.clock = clock
        self.new_id = new_id
        self.breathe = breathe
        self.in_turn = in_turn
        self.judge = Judge(begin, laws.shipped.policy)
        self.remembered = Remembered()
        self._profiles = profiles

    async def __call__(
        self, chunks: AsyncIterator[Asked], *, channel: Channel, purpose: str, context: Context, by: Caller
    ) -> AsyncIterator[Part]:
        """Return the answers to `chunks`, chunk by chunk. While one is answered the next is, and no third.

        The first chunk is answered before this returns, so that a question that can't be asked is refused as a whole.

        Raises:
            UnknownPurpose, UnknownZone: the question can't be asked like this.
            DecisionUnavailable: nobody can say, or the answers can't be logged; also while the answer is read.
        """
        plausible = plausible_in(context, self.laws.shipped.policy)
        try:
            mapped = await self._profiles.maps_to(by.tenant, purpose) if is_tenant_purpose(purpose) else None
        except Unavailable as error:
            raise DecisionUnavailable(str(error)) from error
        question = Question(
            channel=channel, purpose=purpose, meaning=meaning(purpose, mapped), at=self.clock(), context=context
        )
        work = _Work(self, question, plausible, by)
        parts = self.in_turn(partial(work.answered, chunk) async for chunk in chunks)
        try:
            first = await anext(parts, None)
        except BaseException:
            await parts.aclose()
            raise
        return _from(first, parts)


async def _from(first: Part | None, rest: AsyncGenerator[Part]) -> AsyncIterator[Part]:
    async with aclosing(rest):
        if first is not None:
            yield first
        async for part in rest:
            yield part


class _Work:
    """One batch under way."""

    def __init__(self, batch: DecideBatch, question: Question, plausible: tuple[ZoneInfo, ...], by: Caller) -> None:
        self.batch = batch
        self.question = question
        self.plausible = plausible
        self.by = by
        self.in_force: InForce | None = None
        self.kinds: Kinds | None = None

    async def answered(self, asked: Asked, turn: Turn) -> Part:
        subjects = [subject for subject in asked if subject is not None]
        if len(subjects) > ROOM:
            raise DecisionUnavailable("a chunk has no room for so many")
        try:
            return await self._answered(subjects, turn)
        except DecisionUnavailable:
            raise
        except Unavailable as error:
            raise DecisionUnavailable(str(error)) from error

    async def _answered(self, subjects: Sequence[SubjectId], turn: Turn) -> Part:
        at = self.batch.clock()
        in_force, own, rows = await self.batch.rows.read(self.by.tenant, subjects)
        turn.ready()
        kinds = await self._governed(in_force, at)
        chunk = _Chunk(self, kinds, in_force.overlay, at, subjects, rows)
        await chunk.settle()
        self.batch.remembered.keep(self._about(in_force), kinds)
        heading = Heading(
            id=chunk_id(self.batch.new_id()),
            channel=self.question.channel.value,
            purpose=self.question.purpose,
            at=at,
            revision=kinds.law.policy.revision,
            overlay_version=in_force.version,
            actor=self.by.actor,
        )
        told = [each for each in chunk.told if each is not None]
        if told:
            await self.batch.log.append(await packed(heading, chunk.answers, told, own, self.batch.breathe), by=self.by)
        return Part(heading=heading, answers=tuple(chunk.answers), told=chunk.told, at_length=chunk.at_length)

    async def _governed(self, in_force: InForce, at: datetime) -> Kinds:
        """Return how people are told apart under what governs now, as it is remembered if it still holds."""
        kinds = self.kinds if in_force == self.in_force else self.batch.remembered.find(self._about(in_force))
        if kinds is None or not kinds.good_at(at):
            law = await self.batch.laws.of(in_force.revision)
            kinds = Kinds(law, replace(self.question, at=at), in_force.overlay, self.zones)
        self.kinds, self.in_force = kinds, in_force
        return kinds

    def _about(self, in_force: InForce) -> Any:
        return self.by.tenant, in_force, replace(self.question, at=from_micros(0)), self.plausible

    def zones(self, name: str | None) -> Zones:
        return Zones(known=self.batch.judge.zone(name), plausible=self.plausible)


class _Chunk:
    """People who are answered together."""

    def __init__(
        self,
        work: _Work,
        kinds: Kinds,
        overlay: Overlay,
        at: datetime,
        subjects: Sequence[SubjectId],
        rows: Sequence[Row | None],
    ) -> None:
        self._work = work
        self._batch = work.batch
        self._tenant = work.by.tenant
        self._kinds = kinds
        self._overlay = overlay
        self._at = at
        self._subjects = subjects
        self._rows = list(rows)
        self._frames: dict[bytes, Framed | None] = {}
        self._numbers: dict[tuple[bytes, str | None], int] = {}
        self._places: dict[_Key, int] = {}
        self._known: dict[SubjectId, Known] = {}
        self.answers: list[Given] = []
        self.told: list[Told | None] = [None] * len(subjects)
        self._lengthy: set[int] = set()

    @property
    def at_length(self) -> int:
        """How many had to be read at length."""
        return len(self._lengthy)

    async def settle(self) -> None:
        """Give everybody an answer of whom anybody can say."""
        await self._read_missing()
        new = await self._place()
        await self._read_frames({row.frame for _, row in new})
        for start in range(0, len(new), TOGETHER):
            await self._learn(new[start : start + TOGETHER])
        await self._ordinarily([number for number, told in enumerate(self.told) if told is None])

    async def _read_missing(self) -> None:
        """Read at length who has no narrow row, and leave them one."""
        missing = [number for number, row in enumerate(self._rows) if row is None]
        for start in range(0, len(missing), TOGETHER):
            piece = missing[start : start + TOGETHER]
            known = await self._batch.rows.known(self._tenant, [self._subjects[number] for number in piece])
            kept: dict[SubjectId, tuple[Known, Narrow]] = {}
            bodies: dict[bytes, bytes] = {}
            for number in piece:
                subject = self._subjects[number]
                if (found := known.get(subject)) is None:
                    continue
                profile = found.profile
                if isinstance(profile, StateUnreadable):
                    self._known[subject] = found
                    continue
                narrow = narrowed(profile.facts, profile.flags, profile.state, self._batch.judge.zone)
                if narrow is NOBODYS:
                    self._known[subject] = found
                kept[subject] = found, narrow
                bodies[narrow.frame] = narrow.body
                self._rows[number] = Row(found.handle, found.secret, narrow.frame, narrow.days)
            self._lengthy.update(piece)
            if kept:
                await self._batch.rows.keep(self._tenant, [(subject, *both) for subject, both in kept.items()])
            self._take(bodies)
            await self._batch.breathe()

    async def _read_frames(self, names: AbstractSet[bytes]) -> None:
        if unknown := names - self._frames.keys():
            self._take(dict.fromkeys(unknown, b"") | dict(await self._batch.rows.frames(self._tenant, unknown)))

    def _take(self, bodies: Mapping[bytes, bytes]) -> None:
        for name, body in bodies.items():
            self._frames[name] = framed_by(body)

    async def _place(self) -> list[tuple[int, Row]]:
        """Tell those who stand where somebody stood before, and return whose frame or place is new."""
        plans, given, place, now = self._kinds.plans, self._kinds.given, self._kinds.alike.place, micros(self._at)
        new: list[tuple[int, Row]] = []
        for number, row in enumerate(self._rows):
            if number % _BREATH == 0:
                await self._batch.breathe()
            if row is None:
                continue
            if (plan := plans.get(row.frame)) is None:
                new.append((number, row))
            elif (found := place(plan, days_in(row.days))) is not None and found[1] > now:
                if found[0] in given:
                    self._tell(number, row, found)
                else:
                    new.append((number, row))
        return new

    async def _learn(self, new: Sequence[tuple[int, Row]]) -> None:
        """Tell those whose frame or place is new, and ask about each place once."""
        plans, alike, now = self._kinds.plans, self._kinds.alike, micros(self._at)
        placed: list[tuple[int, Row, Placed]] = []
        unasked: dict[_Key, tuple[Row, Filled]] = {}
        for number, row in new:
            if (framed := self._frames[row.frame]) is None:
                continue
            days, asked = days_in(row.days), None
            if (plan := plans.get(row.frame)) is None:
                if (made := alike.plan(framed, days)) is None:
                    continue
                plan, asked = made
                plans[row.frame] = plan
            if (found := alike.place(plan, days)) is None or found[1] <= now:
                continue
            placed.append((number, row, found))
            if found[0] not in self._kinds.given and found[0] not in unasked:
                unasked[found[0]] = row, alike.filled(asked or alike.template(framed, days))
        await self._judge(unasked)
        for each in placed:
            self._tell(*each)

    def _tell(self, number: int, row: Row, found: Placed) -> None:
        """Tell somebody what was answered to those who are alike, if it is the same for all."""
        key, until = found
        if (answer := self._places.get(key)) is None:
            if (given := self._kinds.given.get(key)) is None:
                return
            answer = self._places[key] = self._number(given)
        self.told[number] = Told(row.handle, row.secret, answer, until)

    async def _judge(self, new: Mapping[_Key, tuple[Row, Filled]]) -> None:
        """Ask about those who are alike, once."""
        evaluate = await self._evaluate([filled.facts for *_, filled in new.values()])
        for key, (row, filled) in new.items():
            judged = await evaluate(filled.facts)
            given: Given | None = Given(judged=judged, facts=filled.facts, retry_after=None)
            if judged.verdict.closed_hours:
                # Where it opens may hang on a change of these days, which is not the same for all who are alike.
                given = None if key[-1] else _given(await self._opened(row, filled, evaluate))
            self._kinds.given[key] = given
        await self._batch.breathe()

    async def _opened(self, row: Row, filled: Filled, evaluate: Evaluate) -> Answer:
        """Return the answer with its next opening."""
        framed = self._frames[row.frame]
        assert framed is not None  # noqa: S101, it had a place
        asked = self._kinds.alike.template(framed, days_in(row.days))
        return await answer_to(asked, filled, self._kinds.at, evaluate)

    async def _evaluate(self, facts: Sequence[bytes]) -> Evaluate:
        """Return what judges facts, after one look at what the policy said about these before."""
        law = self._kinds.law
        unknown = {key for each in facts if (key := content_hash(each)) not in law.memo}
        filed = await self._batch.rows.verdicts(self._tenant, law.policy.revision, unknown) if unknown else {}

        async def recall(_: str, facts_hash: bytes) -> bytes | None:
            return filed.get(facts_hash)

        async def evaluate(asked: bytes) -> Judged:
            return await law.memo.judge(asked, recall)

        return evaluate

    async def _ordinarily(self, left: Sequence[int]) -> None:
        """Answer whom nobody is alike, one by one."""
        missing = [number for number in left if self._rows[number] is not None]
        missing = [number for number in missing if self._subjects[number] not in self._known]
        for start in range(0, len(missing), TOGETHER):
            piece = [self._subjects[number] for number in missing[start : start + TOGETHER]]
            self._known.update(await self._batch.rows.known(self._tenant, piece))
        self._lengthy.update(missing)
        stranger: tuple[int, int] | None = None
        for number in left:
            subject = self._subjects[number]
            known = self._known.get(subject)
            if known is None:
                stranger = stranger or await self._one(subject, None)
                self.told[number] = Told(STRANGER, None, *stranger)
            elif not isinstance(known.profile, StateUnreadable):
                self.told[number] = Told(known.handle, known.secret, *await self._one(subject, known.profile))

    async def _one(self, subject: SubjectId, profile: Profile | None) -> tuple[int, int]:
        work = self._work
        question = replace(work.question, at=self._at)
        situation = await self._batch.judge.situation(
            question, subject, profile, work.plausible, self._overlay, self._tenant
        )
        answered = await self._batch.judge(self._kinds.law, situation, self._tenant)
        until = answered.filled.valid_until
        return self._number(_given(answered)), NEVER if until is None else micros(until)

    def _number(self, given: Given) -> int:
        """Return the number of an answer among those of this chunk."""
        key = given.judged.facts_hash, given.opening
        if (number := self._numbers.get(key)) is None:
            number = self._numbers[key] = len(self.answers)
            self.answers.append(given)
        return number


def _given(answered: Answer) -> Given:
    return Given(judged=answered.judged, facts=answered.filled.facts, retry_after=answered.retry_after)
