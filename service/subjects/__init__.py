"""The people: the handle that everything names, and the facts that law asks for."""

from service.subjects.domain import (
    NO_FACTS,
    NO_FLAGS,
    ContradictoryFacts,
    Ensured,
    FactsVersion,
    Flags,
    Gazetteer,
    Named,
    Signals,
    Stored,
    Subject,
    SubjectFacts,
    UnknownJurisdiction,
    UnknownSubject,
    UnknownZone,
    payload_of,
)
from service.subjects.merging import (
    AlreadyMerged,
    Choice,
    Known,
    MergeContradictory,
    MergeWithItself,
    unite_facts,
    unite_flags,
)
from service.subjects.ports import SubjectStore
from service.subjects.usecases import PutSubject

__all__ = [
    "NO_FACTS",
    "NO_FLAGS",
    "AlreadyMerged",
    "Choice",
    "ContradictoryFacts",
    "Ensured",
    "FactsVersion",
    "Flags",
    "Gazetteer",
    "Known",
    "MergeContradictory",
    "MergeWithItself",
    "Named",
    "PutSubject",
    "Signals",
    "Stored",
    "Subject",
    "SubjectFacts",
    "SubjectStore",
    "UnknownJurisdiction",
    "UnknownSubject",
    "UnknownZone",
    "payload_of",
    "unite_facts",
    "unite_flags",
]
