from datetime import datetime

from msgspec import Struct

from service.decisions import Overlay
from service.policies.domain import Stored, Tried


class OverlayView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tenant's own policy. Decisions made under it end their `policy_revision` with `+overlay.<version>`."""

    version: int | None
    """Null where it was only checked."""
    overlay: Overlay
    at: datetime | None
    actor: str | None
    dry_run: bool = False
    """It was only checked: there is no such version."""

    @classmethod
    def of(cls, said: Stored | Tried) -> "OverlayView":
        if isinstance(said, Tried):
            return cls(version=None, overlay=said.overlay, at=None, actor=None, dry_run=True)
        return cls(version=said.version, overlay=said.overlay, at=said.at, actor=said.actor)


class OverlayPage(Struct, frozen=True, kw_only=True):
    """Some versions, the latest first. `Link` says where to go on."""

    versions: list[OverlayView]
