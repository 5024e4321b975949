"""What governs a tenant's decisions: revisions of the law, and the tenant's own policy over them."""

from service.policies.domain import Activation, Artefacts, RevisionUnknown, RevisionUnusable
from service.policies.ports import OverlayStore, RevisionStore
from service.policies.usecases import PutOverlay, ReadOverlay

__all__ = [
    "Activation",
    "Artefacts",
    "OverlayStore",
    "PutOverlay",
    "ReadOverlay",
    "RevisionStore",
    "RevisionUnknown",
    "RevisionUnusable",
]
