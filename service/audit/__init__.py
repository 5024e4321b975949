"""The tamper-evident log: what was done, by whom, to which object."""

from service.audit.domain import AuditEvent, Draft, Entry, Page, Position, Query, canonical, leaf_hash
from service.audit.evidence import receipt
from service.audit.growing import origin_of, receipts_of
from service.audit.ports import AuditTrail, SubjectResolver
from service.audit.proving import ProveEntry
from service.audit.sheet import BOM, harmless
from service.audit.tree_ports import ReceiptSigner
from service.audit.usecases import ReadEntries

__all__ = [
    "BOM",
    "AuditEvent",
    "AuditTrail",
    "Draft",
    "Entry",
    "Page",
    "Position",
    "ProveEntry",
    "Query",
    "ReadEntries",
    "ReceiptSigner",
    "SubjectResolver",
    "canonical",
    "harmless",
    "leaf_hash",
    "origin_of",
    "receipt",
    "receipts_of",
]
