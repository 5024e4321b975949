"""The people: the handle that everything names, and the facts that law asks for."""

from service.subjects.domain import (
    NO_FACTS,
    NO_FLAGS,
    ContradictoryFacts,
    Ensured,
    Flags,
    Gazetteer,
    Signals,
    Stored,
    Subject,
    SubjectFacts,
    UnknownJurisdiction,
    UnknownSubject,
    UnknownZone,
)
from service.subjects.ports import SubjectStore
from service.subjects.usecases import PutSubject

__all__ = [
    "NO_FACTS",
    "NO_FLAGS",
    "ContradictoryFacts",
    "Ensured",
    "Flags",
    "Gazetteer",
    "PutSubject",
    "Signals",
    "Stored",
    "Subject",
    "SubjectFacts",
    "SubjectStore",
    "UnknownJurisdiction",
    "UnknownSubject",
    "UnknownZone",
]
