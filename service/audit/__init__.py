"""The tamper-evident log: what was done, by whom, to which object."""

from service.audit.domain import (
    NOBODYS,
    AuditEvent,
    Draft,
    Entry,
    Opened,
    Page,
    Payload,
    Position,
    Query,
    Secret,
    canonical,
    leaf_hash,
)
from service.audit.evidence import receipt
from service.audit.growing import origin_of, receipts_of
from service.audit.ports import AuditTrail, SubjectResolver
from service.audit.proving import ProveEntry
from service.audit.tree_ports import ReceiptSigner
from service.audit.usecases import ReadEntries

__all__ = [
    "NOBODYS",
    "AuditEvent",
    "AuditTrail",
    "Draft",
    "Entry",
    "Opened",
    "Page",
    "Payload",
    "Position",
    "ProveEntry",
    "Query",
    "ReadEntries",
    "ReceiptSigner",
    "Secret",
    "SubjectResolver",
    "canonical",
    "leaf_hash",
    "origin_of",
    "receipt",
    "receipts_of",
]
