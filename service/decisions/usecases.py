from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.consent import Channel, Profile, Profiles, State, StateUnreadable, is_tenant_purpose, state_at
from service.decisions.asking import Answer, answer
from service.decisions.clocks import Zones
from service.decisions.context import Context
from service.decisions.domain import (
    FURTHEST_AHEAD,
    Decision,
    DecisionUnavailable,
    DecisionUnknown,
    Flags,
    Question,
    QuestionTooFarAhead,
    Reason,
    Replay,
    Stored,
    Verdict,
    in_range,
)
from service.decisions.facts import Situation, template
from service.decisions.memo import Memo
from service.decisions.policy import Policy
from service.decisions.ports import Begin, DecisionLog, Logged, PolicyEngine
from service.decisions.simulation import Case, Simulated, described, meaning
from service.kernel import Caller, Clock, NewId, SubjectId, TenantId, Unavailable
from service.subjects import NO_FACTS, UnknownZone


class Decide:
    """Answer one question, and log the answer before it is given."""

    def __init__(
        self,
        profiles: Profiles,
        begin: Begin,
        log: DecisionLog,
        memo: Memo,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._profiles = profiles
        self._begin = begin
        self._log = log
        self._memo = memo
        self._policy = memo.policy
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self, *, subject: SubjectId, channel: Channel, purpose: str, context: Context, at: datetime | None, by: Caller
    ) -> Decision:
        """Return whether `by` may contact or profile a subject, and why.

        A subject nobody has told us about is a stranger, not an error: the policy
        judges what little is known, and no subject comes into being.

        Raises:
            QuestionTooFarAhead, InstantOutOfRange, UnknownPurpose, UnknownZone: the
                question can't be asked like this.
            DecisionUnavailable: nobody can say, or the answer can't be logged.
        """
        now = self._clock()
        at = now if at is None else in_range(at)
        if at > now + FURTHEST_AHEAD:
            raise QuestionTooFarAhead("a question may look 24 hours ahead", pointers=["/at"], hours=24)
        plausible = _plausible(context, self._policy)
        try:
            mapped = await self._profiles.maps_to(by.tenant, purpose) if is_tenant_purpose(purpose) else None
            question = Question(
                channel=channel, purpose=purpose, meaning=meaning(purpose, mapped), at=at, context=context
            )
            profile = await self._profiles.read(by.tenant, subject)
            situation = await self._situation(question, subject, profile, plausible, by.tenant)
            answered = await self._ask(situation, by.tenant)
            decision = self._decision(question, profile, answered, now)
            await self._log.append(
                Logged(decision=decision, facts=answered.filled.facts, judged=answered.judged, by=by)
            )
        except DecisionUnavailable:
            raise
        except (Unavailable, StateUnreadable) as error:
            # Whatever keeps us from knowing is a no, and says so in the problem.
            raise DecisionUnavailable(str(error)) from error
        return decision

    async def _situation(
        self,
        question: Question,
        subject: SubjectId,
        profile: Profile | None,
        plausible: tuple[ZoneInfo, ...],
        tenant: TenantId,
    ) -> Situation:
        facts = NO_FACTS if profile is None else profile.facts
        return Situation(
            question=question,
            subject=subject,
            facts=facts,
            flags=Flags(),
            state=State() if profile is None else await self._state(question, subject, profile, tenant),
            zones=Zones(known=_zone(facts.time_zone, self._policy), plausible=plausible),
        )

    async def _state(self, question: Question, subject: SubjectId, profile: Profile, tenant: TenantId) -> State:
        """Return the state that answers about `question.at`.

        The stored one forgets a permission that a newer one outshines. A question about
        an instant before the newest is answered from the history.
        """
        newest = profile.state.newest
        if newest is None or question.at >= newest:
            return profile.state
        async with self._begin(tenant) as tx:
            history = await tx.records.history(profile.handle)
        return state_at([stored.of(subject) for stored in history], self._policy.vocabulary, question.at)

    async def _ask(self, situation: Situation, tenant: TenantId) -> Answer:
        async def recall(revision: str, facts_hash: bytes) -> bytes | None:
            async with self._begin(tenant) as tx:
                return await tx.decisions.verdict(revision, facts_hash)

        asked = template(situation, self._policy.data, self._policy.is_holiday)
        return await answer(asked, situation.question.at, lambda facts: self._memo.judge(facts, recall))

    def _decision(self, question: Question, profile: Profile | None, answered: Answer, now: datetime) -> Decision:
        verdict = answered.judged.verdict
        return Decision(
            id=self._new_id(),
            permit=verdict.allow,
            basis=verdict.basis,
            at=question.at,
            decided_at=now,
            channel=question.channel,
            purpose=question.purpose,
            handle=None if profile is None else profile.handle,
            reasons=reasons(verdict, self._policy),
            obligations=verdict.obligations,
            records=records(answered),
            retry_after=answered.retry_after,
            valid_until=answered.filled.valid_until,
            revision=self._policy.revision,
        )


class SimulateDecision:
    """Answer a whole case. Nothing is read about anybody, and nothing is stored."""

    def __init__(self, profiles: Profiles, memo: Memo, clock: Clock) -> None:
        self._profiles = profiles
        self._memo = memo
        self._policy = memo.policy
        self._clock = clock

    async def __call__(self, case: Case, *, by: Caller) -> Simulated:
        """Return the decision `case` would get.

        Raises:
            UnknownPurpose, InstantOutOfRange: the question can't be asked like this.
            DecisionUnavailable: nobody can say.
        """
        try:
            mapped = await self._profiles.maps_to(by.tenant, case.purpose) if is_tenant_purpose(case.purpose) else None
        except Unavailable as error:
            raise DecisionUnavailable(str(error)) from error
        case_described = described(case, self._policy, mapped, self._clock())
        at = case_described.situation.question.at
        asked = template(case_described.situation, self._policy.data, self._policy.is_holiday)
        answered = await answer(asked, at, self._memo.judge)
        return Simulated(
            permit=answered.judged.verdict.allow,
            verdict=answered.judged.verdict,
            at=at,
            reasons=reasons(answered.judged.verdict, self._policy),
            records=records(answered),
            retry_after=answered.retry_after,
            valid_until=answered.filled.valid_until,
            revision=self._policy.revision,
            warnings=case_described.warnings,
        )


class ReadDecision:
    """Show a decision of the log: what was asked, answered, under which policy, from which records."""

    def __init__(self, begin: Begin, engine: PolicyEngine) -> None:
        self._begin = begin
        self._engine = engine
        self._policy = engine.policy

    async def __call__(self, decision: UUID, *, replay: bool, by: Caller) -> tuple[Stored, Decision, Replay | None]:
        """Return the row, the decision as it was told, and its replay if that is wished.

        Raises:
            DecisionUnknown: the tenant has no such decision, or it isn't about the
                subject whose own token asks.
        """
        async with self._begin(by.tenant) as tx:
            stored = await tx.decisions.find(decision)
            own = None if by.subject is None else await tx.subjects.handle_of(by.subject)
        if stored is None or (by.subject is not None and (own is None or own != stored.handle)):
            raise DecisionUnknown("there is no decision with this id")
        verdict = msgspec.json.decode(stored.verdict, type=Verdict)
        return stored, _told(stored, verdict, self._policy), await self._replay(stored, verdict) if replay else None

    async def _replay(self, stored: Stored, then: Verdict) -> Replay:
        """Ask the engine itself: a replay from the memo would prove nothing."""
        now = await self._engine.evaluate(stored.facts)
        return Replay(
            same=now == then,
            revision_then=stored.revision,
            revision_now=self._policy.revision,
            permit_then=then.allow,
            permit_now=now.allow,
            reasons_now=reasons(now, self._policy),
        )


def reasons(verdict: Verdict, policy: Policy) -> tuple[Reason, ...]:
    """Return the verdict's reasons with the words of the law; a rule that the policy no longer has keeps its id."""
    told = []
    for cited in verdict.reasons:
        note = policy.rules.get(cited.rule)
        title, citation = (note.title, note.citation) if note is not None else (cited.rule, "")
        told.append(Reason(rule=cited.rule, effect=cited.effect, title=title, citation=citation))
    return tuple(told)


def records(answered: Answer) -> tuple[UUID, ...]:
    """Return the records that decided, each once, in the order of the acts."""
    behind = answered.filled.records
    return tuple(dict.fromkeys(behind[act] for act in answered.judged.verdict.acts))


def _told(stored: Stored, verdict: Verdict, policy: Policy) -> Decision:
    return Decision(
        id=stored.id,
        permit=stored.permit,
        basis=verdict.basis,
        at=stored.at,
        decided_at=stored.decided_at,
        channel=Channel(stored.channel),
        purpose=stored.purpose,
        handle=stored.handle,
        reasons=reasons(verdict, policy),
        obligations=verdict.obligations,
        records=stored.records,
        retry_after=None if stored.retry_after is None else datetime.fromisoformat(stored.retry_after),
        valid_until=None if stored.valid_until is None else stored.valid_until.astimezone(UTC),
        revision=stored.revision,
    )


def _zone(name: str | None, policy: Policy) -> ZoneInfo | None:
    """A zone that has left the database since it was stored is unknown."""
    return ZoneInfo(name) if name is not None and name in policy.gazetteer.zones else None


def _plausible(context: Context, policy: Policy) -> tuple[ZoneInfo, ...]:
    zones = context.plausible_time_zones or []
    for number, name in enumerate(zones):
        if name not in policy.gazetteer.zones:
            raise UnknownZone("no such time zone", pointers=[f"/context/plausible_time_zones/{number}"])
    return tuple(ZoneInfo(name) for name in zones)
