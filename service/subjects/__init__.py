"""The people: the handle that everything names, and the facts that law asks for."""

from service.subjects.domain import (
    NO_FACTS,
    ContradictoryFacts,
    Gazetteer,
    Signals,
    Subject,
    SubjectFacts,
    SubjectView,
    UnknownJurisdiction,
    UnknownSubject,
    UnknownZone,
)

__all__ = [
    "NO_FACTS",
    "ContradictoryFacts",
    "Gazetteer",
    "Signals",
    "Subject",
    "SubjectFacts",
    "SubjectView",
    "UnknownJurisdiction",
    "UnknownSubject",
    "UnknownZone",
]
