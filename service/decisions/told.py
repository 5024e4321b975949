"""A decision as it is told, by this slice and by those that act on its answers: the same words everywhere."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from service.decisions.domain import Basis, Decision, Effect, Reason

Outcome = Literal["permit", "deny"]


class ReasonView(Struct, frozen=True, kw_only=True):
    """A rule that bore on the answer: the sentence a lawyer reviews."""

    rule: str
    effect: Effect
    title: str
    citation: str

    @classmethod
    def of(cls, reason: Reason) -> "ReasonView":
        return cls(rule=reason.rule, effect=reason.effect, title=reason.title, citation=reason.citation)


class DecisionView(Struct, frozen=True, kw_only=True):
    """The answer. Treat anything but `permit` as no."""

    id: UUID
    decision: Outcome
    basis: Basis
    at: datetime
    reasons: tuple[ReasonView, ...]
    obligations: tuple[str, ...]
    """What the sender must do. A denial can have some as well."""
    records: tuple[UUID, ...]
    """The records that decided."""
    retry_after: datetime | None
    """Set when only the hour or the day stands in the way."""
    valid_until: datetime | None
    """The next instant at which the answer could change by time alone."""
    policy_revision: str
    permit: str | None = None
    """Signed, for whoever sends: only with a yes, and only where it was wished for."""

    @classmethod
    def of(cls, decision: Decision, permit: str | None = None) -> "DecisionView":
        return cls(
            id=decision.id,
            decision="permit" if decision.permit else "deny",
            basis=decision.basis,
            at=decision.at,
            reasons=tuple(map(ReasonView.of, decision.reasons)),
            obligations=decision.obligations,
            records=decision.records,
            retry_after=decision.retry_after,
            valid_until=decision.valid_until,
            policy_revision=decision.policy,
            permit=permit,
        )
