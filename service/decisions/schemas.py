from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.consent import Channel, PurposeName
from service.decisions.context import Context
from service.decisions.domain import Basis, Decision, Replay, Stored
from service.decisions.law_schemas import ExplanationView
from service.decisions.permits import Wish
from service.decisions.simulation import Case, Simulated, Warned, position
from service.decisions.told import DecisionView, Outcome, ReasonView
from service.kernel import Instant, SubjectRef


class DecisionCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question: may this subject be contacted or profiled, on this channel, for this purpose, now?"""

    subject: SubjectRef
    channel: Channel
    purpose: PurposeName
    context: Context | None = None
    """What you declare about the message, the sender and the use. What is left out is unknown."""
    at: Instant | None = None
    """The instant asked about: any past one, or up to 24 hours ahead. Now when it is left out."""
    permit: bool | Wish | None = None
    """Whether a signed permit is wished, or for whom and for which message. Only for a question about now."""


class ReplayView(Struct, frozen=True, kw_only=True):
    """The stored facts, asked again under the policy of today."""

    same: bool
    revision_then: str
    revision_now: str
    decision_then: Outcome
    decision_now: Outcome
    reasons_now: tuple[ReasonView, ...]

    @classmethod
    def of(cls, replay: Replay) -> "ReplayView":
        return cls(
            same=replay.same,
            revision_then=replay.revision_then,
            revision_now=replay.revision_now,
            decision_then="permit" if replay.permit_then else "deny",
            decision_now="permit" if replay.permit_now else "deny",
            reasons_now=tuple(map(ReasonView.of, replay.reasons_now)),
        )


class LoggedDecisionView(DecisionView, frozen=True, kw_only=True):
    """A decision of the log, with what was asked."""

    channel: Channel
    purpose: str
    decided_at: datetime
    actor: str
    handle: UUID | None
    """The subject's handle; nothing for a subject that was unknown."""
    facts: Annotated[dict[str, Any], Meta(description="What the policy was asked. No names, addresses or instants.")]
    replay: ReplayView | None = None

    @classmethod
    def told(cls, stored: Stored, decision: Decision, replay: Replay | None) -> "LoggedDecisionView":
        answer = DecisionView.of(decision)
        return cls(
            **msgspec.structs.asdict(answer),
            channel=decision.channel,
            purpose=decision.purpose,
            decided_at=decision.decided_at,
            actor=stored.actor,
            handle=decision.handle,
            facts=msgspec.json.decode(stored.facts),
            replay=None if replay is None else ReplayView.of(replay),
        )


class WarningView(Struct, frozen=True, kw_only=True):
    """Something nobody knows about the case; it was judged by the strictest profile."""

    code: str
    pointer: str
    """Where in the body."""

    @classmethod
    def of(cls, warned: Warned) -> "WarningView":
        return cls(code=warned.code, pointer=warned.pointer)


class SimulationCreate(Case, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole case, and whether its answer is to be explained."""

    explain: bool = False
    """Also say what each rule said, and which unknown facts stand in the way. Takes a hundred times as long."""


class SimulationView(Struct, frozen=True, kw_only=True):
    """The decision the case would get."""

    decision: Outcome
    basis: Basis
    at: datetime
    reasons: tuple[ReasonView, ...]
    obligations: tuple[str, ...]
    records: tuple[int, ...]
    """The positions, from 0, of the records that decided."""
    retry_after: datetime | None
    valid_until: datetime | None
    policy_revision: str
    warnings: tuple[WarningView, ...]
    explanation: ExplanationView | UnsetType = UNSET
    """Only where it was asked for."""

    @classmethod
    def of(cls, simulated: Simulated) -> "SimulationView":
        return cls(
            decision="permit" if simulated.permit else "deny",
            basis=simulated.verdict.basis,
            at=simulated.at,
            reasons=tuple(map(ReasonView.of, simulated.reasons)),
            obligations=simulated.verdict.obligations,
            records=tuple(map(position, simulated.records)),
            retry_after=simulated.retry_after,
            valid_until=simulated.valid_until,
            policy_revision=simulated.revision,
            warnings=tuple(map(WarningView.of, simulated.warnings)),
            explanation=UNSET if simulated.explanation is None else ExplanationView.of(simulated.explanation),
        )
