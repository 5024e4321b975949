"""What becomes of keys: which versions there are, what hangs from them, and how far a rotation has got."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from service.kernel import TenantId
from service.vault.domain import KeyContext, KeyPurpose, Wrapped


class RootWrapped(Struct, frozen=True, kw_only=True):
    """A key that the ring wrapped, and the place it is bound to."""

    context: KeyContext
    wrapped: Wrapped


class KeyVersion(Struct, frozen=True, kw_only=True):
    """One version of a tenant, index or suppression key."""

    purpose: KeyPurpose
    field: str
    version: int
    root: str
    """The version of the root key that wraps it."""
    created_at: datetime
    uses: int | None
    """So many subject keys, or entries of the index, are under it. Nobody counts those of a suppression key."""


class Rotated(Struct, frozen=True, kw_only=True):
    """How far the rotation of a tenant or index key has got."""

    tenant: TenantId
    version: int
    """The one that everything is to be under."""
    field: str = ""
    begun: bool = False
    """False where a rotation that was under way went on."""
    moved: int = 0
    """So many were put under it by this call."""
    unreadable: int = 0
    """So many did not open and stay where they are, and with them the version they are under."""
    removed: Sequence[int] = ()
    """Earlier versions that are gone now."""
    settles_at: datetime | None = None
    """Earlier versions stay until then: until no process remembers them."""


class RootRotated(Struct, frozen=True, kw_only=True):
    """How far the rotation of the root key has got."""

    version: str
    begun: bool
    moved: int = 0
    unreadable: int = 0
