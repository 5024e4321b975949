"""What would change? Candidates for the policy, tried on the log and on people, without governing anybody."""

from service.trials.domain import (
    Candidate,
    CandidateRefused,
    Over,
    RegoNotOffered,
    Span,
    State,
    Survey,
    Trial,
    TrialUnusable,
)
from service.trials.ports import Judge, People, TrialStore, Workbench
from service.trials.running import RunTrial, Told
from service.trials.usecases import ReadChanges, ReadTrial, ReadTrials, StartTrial

__all__ = [
    "Candidate",
    "CandidateRefused",
    "Judge",
    "Over",
    "People",
    "ReadChanges",
    "ReadTrial",
    "ReadTrials",
    "RegoNotOffered",
    "RunTrial",
    "Span",
    "StartTrial",
    "State",
    "Survey",
    "Told",
    "Trial",
    "TrialStore",
    "TrialUnusable",
    "Workbench",
]
