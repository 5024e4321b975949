"""May we? Facts, the policy that judges them, and the log of every answer."""

from service.decisions.asking import Engine
from service.decisions.cases import CheckResult, check_cases
from service.decisions.context import Context
from service.decisions.domain import (
    Basis,
    Decision,
    DecisionUnavailable,
    DecisionUnknown,
    Effect,
    Flags,
    InstantOutOfRange,
    PermitsNotOffered,
    QuestionTooFarAhead,
    Reason,
    Replay,
    Verdict,
)
from service.decisions.memo import Memo
from service.decisions.overlay import NO_OVERLAY, InForce, Overlay, overlay_facts
from service.decisions.policy import Policy
from service.decisions.ports import DecisionLog, DecisionStore, Law, Laws, PolicyEngine
from service.decisions.simulation import Case
from service.decisions.usecases import Decide, ReadDecision, SimulateDecision

__all__ = [
    "NO_OVERLAY",
    "Basis",
    "Case",
    "CheckResult",
    "Context",
    "Decide",
    "Decision",
    "DecisionLog",
    "DecisionStore",
    "DecisionUnavailable",
    "DecisionUnknown",
    "Effect",
    "Engine",
    "Flags",
    "InForce",
    "InstantOutOfRange",
    "Law",
    "Laws",
    "Memo",
    "Overlay",
    "PermitsNotOffered",
    "Policy",
    "PolicyEngine",
    "QuestionTooFarAhead",
    "ReadDecision",
    "Reason",
    "Replay",
    "SimulateDecision",
    "Verdict",
    "check_cases",
    "overlay_facts",
]
