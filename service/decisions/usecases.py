from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from service.audit import Content, ContentExpired, Trace, Traces
from service.consent import Channel, Profile, Profiles, StateUnreadable, is_tenant_purpose
from service.decisions.asking import Answer, answer
from service.decisions.context import Context
from service.decisions.domain import (
    FURTHEST_AHEAD,
    Decision,
    DecisionUnavailable,
    DecisionUnknown,
    Question,
    QuestionTooFarAhead,
    Reason,
    Replay,
    Stored,
    Verdict,
    governed_by,
    in_range,
)
from service.decisions.explaining import explain
from service.decisions.facts import template
from service.decisions.judging import Judge, plausible_in
from service.decisions.overlay import InForce
from service.decisions.packed import placed
from service.decisions.policy import Policy
from service.decisions.ports import Begin, DecisionLog, Issue, Law, Laws, Logged
from service.decisions.simulation import Case, Simulated, described, meaning, position
from service.kernel import Caller, Clock, NewId, SubjectId, TenantId, Unavailable


class Decide:
    """Answer one question, and log the answer before it is given."""

    def __init__(
        self,
        profiles: Profiles[InForce],
        begin: Begin,
        log: DecisionLog,
        laws: Laws,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._profiles = profiles
        self._judge = Judge(begin, laws.shipped.policy)
        self._log = log
        self._laws = laws
        self._shipped = laws.shipped.policy
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self,
        *,
        subject: SubjectId,
        channel: Channel,
        purpose: str,
        context: Context,
        at: datetime | None,
        by: Caller,
        issue: Issue | None = None,
    ) -> Decision:
        """Return whether `by` may contact or profile a subject, and why. What `issue` says is stored with it.

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
        plausible = plausible_in(context, self._shipped)
        try:
            mapped = await self._profiles.maps_to(by.tenant, purpose) if is_tenant_purpose(purpose) else None
            question = Question(
                channel=channel, purpose=purpose, meaning=meaning(purpose, mapped), at=at, context=context
            )
            profile, in_force = await self._profiles.read(by.tenant, subject)
            law = await self._laws.of(in_force.revision)
            situation = await self._judge.situation(question, subject, profile, plausible, in_force.overlay, by.tenant)
            answered = await self._judge(law, situation, by.tenant)
            decision = self._decision(law.policy, in_force, question, profile, answered, now)
            await self._log.append(
                Logged(
                    decision=decision,
                    facts=answered.filled.facts,
                    judged=answered.judged,
                    by=by,
                    secret=None if profile is None else profile.secret,
                    permit=None if issue is None else issue(decision, profile),
                )
            )
        except DecisionUnavailable:
            raise
        except (Unavailable, StateUnreadable) as error:
            # Whatever keeps us from knowing is a no, and says so in the problem.
            raise DecisionUnavailable(str(error)) from error
        return decision

    def _decision(
        self,
        policy: Policy,
        in_force: InForce,
        question: Question,
        profile: Profile | None,
        answered: Answer,
        now: datetime,
    ) -> Decision:
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
            reasons=reasons(verdict, policy),
            obligations=verdict.obligations,
            records=records(answered),
            retry_after=answered.retry_after,
            valid_until=answered.filled.valid_until,
            revision=policy.revision,
            overlay=in_force.version,
        )


class SimulateDecision:
    """Answer a whole case. Nothing is read about anybody, and nothing is stored."""

    def __init__(
        self,
        profiles: Profiles[InForce],
        laws: Laws,
        clock: Clock,
        schema: Mapping[str, Any],
        turn: AbstractAsyncContextManager[Any],
    ) -> None:
        """`turn` lets one in at a time: an explanation takes some hundred evaluations, and checks come in between."""
        self._profiles = profiles
        self._laws = laws
        self._clock = clock
        self._schema = schema
        self._turn = turn

    async def __call__(self, case: Case, *, explained: bool = False, by: Caller) -> Simulated:
        """Return the decision `case` would get, and why, if it is to be `explained`.

        Raises:
            UnknownPurpose, InstantOutOfRange: the question can't be asked like this.
            DecisionUnavailable: nobody can say.
        """
        try:
            mapped = await self._profiles.maps_to(by.tenant, case.purpose) if is_tenant_purpose(case.purpose) else None
            in_force = await self._profiles.governing(by.tenant)
        except Unavailable as error:
            raise DecisionUnavailable(str(error)) from error
        law = await self._laws.of(in_force.revision)
        now = self._clock()
        if not explained:
            return await simulated(case, law, in_force, mapped=mapped, now=now, schema=None)
        async with self._turn:
            return await simulated(case, law, in_force, mapped=mapped, now=now, schema=self._schema)


async def simulated(
    case: Case, law: Law, in_force: InForce, *, mapped: str | None, now: datetime, schema: Mapping[str, Any] | None
) -> Simulated:
    """Return the decision that `case` would get under a law; why as well, where the `schema` of the facts is given."""
    policy = law.policy
    case_described = described(case, policy, mapped, now, in_force.overlay)
    at = case_described.situation.question.at
    asked = template(case_described.situation, policy.data, policy.is_holiday)
    answered = await answer(asked, at, law.memo.judge)
    facts, verdict = answered.filled.facts, answered.judged.verdict
    behind = [position(record) for record in answered.filled.records]
    explanation = None if schema is None else await explain(law.engine, schema, facts, behind, verdict)
    return Simulated(
        permit=verdict.allow,
        verdict=verdict,
        at=at,
        reasons=reasons(verdict, policy),
        records=records(answered),
        retry_after=answered.retry_after,
        valid_until=answered.filled.valid_until,
        revision=governed_by(policy.revision, in_force.version),
        warnings=case_described.warnings,
        explanation=explanation,
    )


class ReadDecision:
    """Show a decision of the log: what was asked, answered, under which policy, from which records."""

    def __init__(self, begin: Begin, profiles: Profiles[InForce], laws: Laws) -> None:
        self._begin = begin
        self._profiles = profiles
        self._laws = laws

    async def __call__(self, decision: UUID, *, replay: bool, by: Caller) -> tuple[Stored, Decision, Replay | None]:
        """Return the row, the decision as it was told, and its replay if that is wished.

        Raises:
            DecisionUnknown: the tenant has no such decision, or it isn't about the
                subject whose own token asks.
            ContentExpired: it was kept until its period ended.
            DecisionUnavailable: the replay found nobody who answers.
        """
        async with self._begin(by.tenant) as tx:
            stored = await tx.decisions.find(decision)
            own = None if by.subject is None else await tx.subjects.handle_of(by.subject)
            theirs = set() if own is None else {own, *await tx.subjects.former(own)}
            gone = None if stored else await _gone(tx.traces, decision)
        if gone is not None and (by.subject is None or gone.handle in theirs):
            raise ContentExpired("the decision was kept until its period ended")
        if stored is None or (by.subject is not None and stored.handle not in theirs):
            raise DecisionUnknown("there is no decision with this id")
        verdict = msgspec.json.decode(stored.verdict, type=Verdict)
        told = _told(stored, verdict, await self._of_then(stored.revision))
        return stored, told, await self._replay(stored, verdict, by.tenant) if replay else None

    async def _of_then(self, revision: str) -> Policy:
        """Return the policy whose words the decision was told in, or today's where an older version shipped it."""
        try:
            return (await self._laws.of(revision)).policy
        except DecisionUnavailable:
            return self._laws.shipped.policy

    async def _replay(self, stored: Stored, then: Verdict, tenant: TenantId) -> Replay:
        """Ask the engine itself: a replay from the memo would prove nothing."""
        law = await self._laws.of((await self._profiles.governing(tenant)).revision)
        now = await law.engine.evaluate(stored.facts)
        return Replay(
            same=now == then,
            revision_then=stored.revision,
            revision_now=law.policy.revision,
            permit_then=then.allow,
            permit_now=now.allow,
            reasons_now=reasons(now, law.policy),
        )


async def _gone(traces: Traces, decision: UUID) -> Trace | None:
    """Return what is left of a decision, or of the chunk that it was in."""
    chunk, _ = placed(decision)
    alone = await traces.of(Content.DECISION, [decision])
    return alone.get(decision) or (await traces.of(Content.BATCH, [chunk])).get(chunk)


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
        overlay=stored.overlay_version,
    )
