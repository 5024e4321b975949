"""Plans and certificates on the wire."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from msgspec import Struct

from service.erasures.domain import Against, Certified, Going, Outcome, Progress, Staying, Step


class PlanState(StrEnum):
    CLEAR = "clear"
    HELD = "held"
    """Something stands against it."""
    BEGUN = "begun"
    CERTIFIED = "certified"


class StepView(Struct, frozen=True, kw_only=True):
    """One step, when it was done, and how much went by it."""

    step: Step
    at: datetime
    told: Mapping[str, int]


class PlanView(Struct, frozen=True, kw_only=True):
    """What an erasure does. The same person as they stand makes the same plan, under the same policy."""

    request: UUID
    law: str
    citation: str
    policy_revision: str
    """Of the tables by which it was made."""
    state: PlanState
    goes: list[Going]
    stays: list[Staying]
    against: list[Against]
    """Why nobody is erased now. Of one that was begun none."""
    systems: list[str]
    """Connected systems that are told."""
    steps: list[StepView]
    """What was done, in this order."""
    downstreams: list[Outcome]
    """What became of the task of each connected system."""

    @classmethod
    def of(cls, progress: Progress) -> "PlanView":
        plan = progress.plan
        if progress.ended_at is not None:
            state = PlanState.CERTIFIED
        elif progress.done:
            state = PlanState.BEGUN
        else:
            state = PlanState.HELD if plan.against else PlanState.CLEAR
        return cls(
            request=plan.request,
            law=plan.law,
            citation=plan.citation,
            policy_revision=plan.policy_revision,
            state=state,
            goes=list(plan.goes),
            stays=list(plan.stays),
            against=list(plan.against),
            systems=list(plan.systems),
            steps=[StepView(step=one.step, at=one.at, told=one.told) for one in progress.done],
            downstreams=list(progress.outcomes),
        )


class CertificateView(Struct, frozen=True, kw_only=True):
    """A certificate: a file for `volens audit verify` as it stands."""

    format: Literal["volens-erasure-certificate/v1"] = "volens-erasure-certificate/v1"
    certificate: str
    """A JWS in its compact form, EdDSA, of type `erasure-certificate+jwt`."""
    proof: str
    """That its audit entry is in the signed tree (c2sp.org/tlog-proof), with entry and checkpoint."""

    @classmethod
    def of(cls, certified: Certified) -> "CertificateView":
        return cls(certificate=certified.jws, proof=certified.proof)
