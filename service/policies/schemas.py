from datetime import datetime

from msgspec import Struct

from service.decisions import Overlay
from service.policies.domain import Stored


class OverlayView(Struct, frozen=True, kw_only=True):
    """A tenant's own policy. Decisions made under it end their `policy_revision` with `+overlay.<version>`."""

    version: int
    overlay: Overlay
    at: datetime | None
    actor: str | None

    @classmethod
    def of(cls, stored: Stored) -> "OverlayView":
        return cls(version=stored.version, overlay=stored.overlay, at=stored.at, actor=stored.actor)
