"""The tamper-evident log: what was done, by whom, to which object."""

from service.audit.domain import AuditEvent, Draft, Entry, Page, Position, Query, canonical, leaf_hash
from service.audit.ports import AuditTrail, SubjectResolver
from service.audit.usecases import ReadEntries

__all__ = [
    "AuditEvent",
    "AuditTrail",
    "Draft",
    "Entry",
    "Page",
    "Position",
    "Query",
    "ReadEntries",
    "SubjectResolver",
    "canonical",
    "leaf_hash",
]
