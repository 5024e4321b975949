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
    RuleUnknown,
    Verdict,
)
from service.decisions.explaining import Explanation, LawAsked, Outcome, RuleOutcome
from service.decisions.inquiries import ReadCoverage, ReadPolicy, ReadRule
from service.decisions.memo import Memo
from service.decisions.overlay import NO_OVERLAY, SHIPPED, InForce, Overlay, overlay_facts
from service.decisions.policy import Policy
from service.decisions.ports import DecisionLog, DecisionStore, Law, Laws, PolicyEngine
from service.decisions.simulation import Case, Simulated
from service.decisions.usecases import Decide, ReadDecision, SimulateDecision, simulated

__all__ = [
    "NO_OVERLAY",
    "SHIPPED",
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
    "Explanation",
    "Flags",
    "InForce",
    "InstantOutOfRange",
    "Law",
    "LawAsked",
    "Laws",
    "Memo",
    "Outcome",
    "Overlay",
    "PermitsNotOffered",
    "Policy",
    "PolicyEngine",
    "QuestionTooFarAhead",
    "ReadCoverage",
    "ReadDecision",
    "ReadPolicy",
    "ReadRule",
    "Reason",
    "Replay",
    "RuleOutcome",
    "RuleUnknown",
    "SimulateDecision",
    "Simulated",
    "Verdict",
    "check_cases",
    "overlay_facts",
    "simulated",
]
