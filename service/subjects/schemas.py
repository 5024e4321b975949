from msgspec import Struct

from service.kernel import SubjectId
from service.subjects.domain import Stored, SubjectFacts


class FactsView(Struct, frozen=True, kw_only=True):
    """The facts as stored, and which version they are. An unknown fact is left out."""

    subject: str
    version: int
    facts: SubjectFacts

    @classmethod
    def of(cls, subject: SubjectId, stored: Stored) -> "FactsView":
        return cls(subject=subject, version=stored.subject.version, facts=stored.subject.facts)
