"""Keys, and the places that values are bound to.

Root key (in a key ring) → tenant key → subject key → value. Index, suppression and box keys
hang from the root beside the tenant key, so that they outlive the subjects' keys.
"""

import hmac
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final, NoReturn
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Handle, TenantId, Unavailable

KEY_BYTES: Final = 32
"""Every key has 256 bits."""


class Unreadable(DomainError):
    """A key or a value does not open. Which check failed is not told: it helps only an attacker."""

    code = "unreadable"


class SubjectErased(DomainError):
    """The subject's key was destroyed, and with it whatever the vault held about them."""

    code = "subject_erased"


class RingUnavailable(Unavailable):
    """The key ring does not answer, so nothing is sealed or opened. Nothing was stored; asking again is safe."""


class Secret:
    """The bytes of a key.

    No struct: those show what they hold and turn into JSON. This shows nothing, compares in
    constant time, and can be neither copied nor pickled.
    """

    __slots__ = ("_bytes",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Unreadable("a key has another length")
        self._bytes = key

    def expose(self) -> bytes:
        """Return the bytes, for the moment of use: never keep, log or return them."""
        return self._bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes, other._bytes)

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key stays in its process")


class TenantKey(Struct, frozen=True, kw_only=True):
    """The key that wraps the keys of one tenant's subjects."""

    tenant: TenantId
    version: int
    secret: Secret


class HashKey(Struct, frozen=True, kw_only=True):
    """The key of a blind index, or of suppression hashes."""

    version: int
    secret: Secret


class BoxKey(Struct, frozen=True, kw_only=True):
    """The key of a tenant's boxes: of what must outlive the key of the person whom it is about, or is about nobody."""

    tenant: TenantId
    secret: Secret


class BoxPlace(Struct, frozen=True, kw_only=True):
    """Where a box belongs. It opens there and nowhere else."""

    kind: str
    """What is in boxes of this kind, such as `downstream.secret`."""
    id: UUID


class SubjectKey(Struct, frozen=True, kw_only=True):
    """The key of one person. Lives for one request."""

    id: bytes
    """16 random bytes. Stays the same when the tenant key above changes."""
    secret: Secret


class SubjectKeys(Struct, frozen=True, kw_only=True):
    """The keys of several persons. Who never had one is in neither."""

    keys: Mapping[Handle, SubjectKey]
    erased: AbstractSet[Handle]
    """Those whose key was destroyed."""


class Slot(Struct, frozen=True, kw_only=True):
    """Where a value belongs. It opens there and nowhere else."""

    tenant: TenantId
    handle: Handle
    field: str
    label: str
    """Tells several values of one field apart; empty for the only one."""
    version: int


class KeyPurpose(StrEnum):
    """What a key that the ring wraps is for."""

    TENANT = "tenant_key"
    INDEX = "index_key"
    SUPPRESSION = "suppression_key"
    BOX = "box_key"


class KeyContext(Struct, frozen=True, kw_only=True):
    """Where a wrapped key belongs. The ring binds it, so that the key unwraps nowhere else."""

    tenant: TenantId
    purpose: KeyPurpose
    version: int
    field: str = ""
    """The field of an index key."""

    def bound(self) -> dict[str, str]:
        """Return the context as texts by name: an encryption context, as key management services call it."""
        return {
            "volens": "v1",
            "tenant": self.tenant,
            "purpose": self.purpose.value,
            "version": str(self.version),
            "field": self.field or "-",
        }


class Wrapped(Struct, frozen=True, kw_only=True):
    """A key as the ring gave it back."""

    ring: str
    """Which kind of ring: another kind can't open it."""
    version: str
    """Which version of the root key; the ring's own name for it."""
    body: bytes


class RootUse(Struct, frozen=True, kw_only=True):
    """How many keys of all tenants a version of a root key wraps."""

    ring: str
    version: str
    keys: int


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key of a tenant, as it lies in the database."""

    version: int
    wrapped: Wrapped


class StoredSubjectKey(Struct, frozen=True, kw_only=True):
    """The key of a person, as it lies in the database."""

    id: bytes
    tenant_key_version: int
    wrapped: bytes
    """Under that tenant key; empty once the key was destroyed."""
    destroyed: bool = False
