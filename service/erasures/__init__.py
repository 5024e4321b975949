"""Erasures: planned, carried out step by step, and certified."""

from service.erasures.domain import Outcome, Remains, Stage
from service.erasures.planning import Planner
from service.erasures.ports import Answers, Connected, ErasureTransaction
from service.erasures.running import RunErasure
from service.erasures.usecases import ReadCertificate, ReadPlan

__all__ = [
    "Answers",
    "Connected",
    "ErasureTransaction",
    "Outcome",
    "Planner",
    "ReadCertificate",
    "ReadPlan",
    "Remains",
    "RunErasure",
    "Stage",
]
