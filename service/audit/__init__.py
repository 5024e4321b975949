"""The tamper-evident log: what was done, by whom, to which object."""

from service.audit.commitments import commitment_of, salt_of, withheld
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
from service.audit.evidence import certificate, jws, kid_of, receipt
from service.audit.growing import origin_of, receipts_of
from service.audit.keeping import Content, ContentExpired, Trace
from service.audit.keeping_ports import HoldStore, Traces
from service.audit.ports import AuditAppender, AuditTrail, SubjectLog, SubjectResolver
from service.audit.proving import ProveEntries, ProveEntry
from service.audit.sheet import BOM, harmless
from service.audit.tree import path_to, tree_hash
from service.audit.tree_ports import Member, ReceiptSigner, Sought
from service.audit.usecases import ReadEntries

__all__ = [
    "BOM",
    "NOBODYS",
    "AuditAppender",
    "AuditEvent",
    "AuditTrail",
    "Content",
    "ContentExpired",
    "Draft",
    "Entry",
    "HoldStore",
    "Member",
    "Opened",
    "Page",
    "Payload",
    "Position",
    "ProveEntries",
    "ProveEntry",
    "Query",
    "ReadEntries",
    "ReceiptSigner",
    "Secret",
    "Sought",
    "SubjectLog",
    "SubjectResolver",
    "Trace",
    "Traces",
    "canonical",
    "certificate",
    "commitment_of",
    "harmless",
    "jws",
    "kid_of",
    "leaf_hash",
    "origin_of",
    "path_to",
    "receipt",
    "receipts_of",
    "salt_of",
    "tree_hash",
    "withheld",
]
