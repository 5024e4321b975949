"""May we? Facts, the policy that judges them, and the log of every answer."""

from service.decisions.asking import Engine
from service.decisions.audiences import DecideAudience
from service.decisions.batches import DecideBatch
from service.decisions.cases import CheckResult, Failure, check_cases
from service.decisions.context import Context
from service.decisions.domain import (
    Basis,
    Decision,
    DecisionUnavailable,
    DecisionUnknown,
    Effect,
    Flags,
    InstantOutOfRange,
    Question,
    QuestionTooFarAhead,
    Reason,
    Replay,
    RuleUnknown,
    Verdict,
    governed_by,
)
from service.decisions.domain import Stored as LoggedDecision
from service.decisions.explaining import Explanation, LawAsked, Outcome, RuleOutcome
from service.decisions.inquiries import ReadCoverage, ReadPolicy, ReadRule
from service.decisions.measures import measured, month_edges
from service.decisions.memo import Memo
from service.decisions.overlay import NO_OVERLAY, SHIPPED, InForce, Overlay, edges, overlay_facts
from service.decisions.packed import placed
from service.decisions.policy import STAGES, Bands, Policy, PolicyData
from service.decisions.ports import DecisionLog, DecisionStore, Law, Laws, LogEntry, LogPlace, Made, PolicyEngine
from service.decisions.simulation import Case, Simulated, meaning
from service.decisions.told import DecisionView
from service.decisions.usecases import Decide, ReadDecision, SimulateDecision, simulated
from service.decisions.what_if import about, in_every_edge, ordinary, stale_months, under_overlay

__all__ = [
    "NO_OVERLAY",
    "SHIPPED",
    "STAGES",
    "Bands",
    "Basis",
    "Case",
    "CheckResult",
    "Context",
    "Decide",
    "DecideAudience",
    "DecideBatch",
    "Decision",
    "DecisionLog",
    "DecisionStore",
    "DecisionUnavailable",
    "DecisionUnknown",
    "DecisionView",
    "Effect",
    "Engine",
    "Explanation",
    "Failure",
    "Flags",
    "InForce",
    "InstantOutOfRange",
    "Law",
    "LawAsked",
    "Laws",
    "LogEntry",
    "LogPlace",
    "LoggedDecision",
    "Made",
    "Memo",
    "Outcome",
    "Overlay",
    "Policy",
    "PolicyData",
    "PolicyEngine",
    "Question",
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
    "about",
    "check_cases",
    "edges",
    "governed_by",
    "in_every_edge",
    "meaning",
    "measured",
    "month_edges",
    "ordinary",
    "overlay_facts",
    "placed",
    "simulated",
    "stale_months",
    "under_overlay",
]
