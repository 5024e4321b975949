"""What becomes of versions that were replaced or deleted so long ago that nobody may open them any more."""

from datetime import datetime

from msgspec import Struct

from service.kernel import Handle, TenantId


class Retained(Struct, frozen=True, kw_only=True):
    """A field whose replaced versions stay for so many days, by the tenant's word."""

    tenant: TenantId
    field: str
    days: int


class Reached(Struct, frozen=True):
    """A version that replaced another, in the order in which that happened."""

    at: datetime
    handle: Handle
    label: str
    version: int


class Piece(Struct, frozen=True, kw_only=True):
    """What was found in one step."""

    removed: int
    held: int
    """Versions past their retention that stay, because the data of their people are restricted (GDPR Art. 18)."""
    last: Reached | None
    """Where to go on; ``None`` where nothing is left to look at."""


class Expired(Struct, frozen=True, kw_only=True):
    """How many versions of a field were past their retention."""

    tenant: TenantId
    field: str
    retention_days: int
    removed: int
    """Or would be, where it was only asked."""
    held: int
    """As `Piece` has it."""
