"""What governs a tenant's decisions: revisions of the law, and the tenant's own policy over them."""

from service.policies.domain import Activation, Artefacts, Kept, Rehearsal, RevisionDamaged
from service.policies.ports import OverlayStore, RecentFacts, RevisionStore
from service.policies.usecases import (
    ActivateRevision,
    CheckOverlay,
    PutOverlay,
    ReadOverlay,
    ReadOverlayVersions,
    RehearseRevision,
)

__all__ = [
    "ActivateRevision",
    "Activation",
    "Artefacts",
    "CheckOverlay",
    "Kept",
    "OverlayStore",
    "PutOverlay",
    "ReadOverlay",
    "ReadOverlayVersions",
    "RecentFacts",
    "Rehearsal",
    "RehearseRevision",
    "RevisionDamaged",
    "RevisionStore",
]
