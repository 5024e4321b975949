"""Values: sealed as they lie in the database, opened as they leave it, and on their way in."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from msgspec import Struct

from service.kernel import Caller, DomainError, Handle, SubjectId, TenantId
from service.vault.domain import Slot
from service.vault.fields import Field, Name


class ValueRefused(DomainError):
    """The value is not what its field holds."""

    code = "value_refused"


class ValueUnknown(DomainError):
    """There is no such value, or nothing at all about this person."""

    code = "unknown_value"


class ValueMoved(DomainError):
    """The value is another version by now than the one that the write was to replace."""

    code = "value_moved"


class Suppressed(DomainError):
    """The person behind this address does not want to be kept. Only their own fresh act brings it back."""

    code = "suppressed"


class FieldNotIndexed(DomainError):
    """Nobody can be found by this field."""

    code = "field_not_indexed"


class TooManyLookups(DomainError):
    """A client asked more often than it may."""

    code = "too_many_lookups"


class Place(Struct, frozen=True):
    """Where the versions of one value lie."""

    handle: Handle
    name: Name


class Digest(Struct, frozen=True, kw_only=True):
    """A value in the blind index of its field, under one version of the index key."""

    field: str
    version: int
    digest: bytes


class Mark(Struct, frozen=True, kw_only=True):
    """A value as suppression remembers it."""

    kind: str
    digest: bytes


class Head(Struct, frozen=True, kw_only=True):
    """How a place stands before a write."""

    version: int
    """Of the latest version; 0 where there never was one."""
    live: bool
    suppressed: bool


class Standing(Struct, frozen=True, kw_only=True):
    """One version of a value, without what it says."""

    name: Name
    version: int
    at: datetime
    until: datetime | None
    deleted: bool
    """This version says that the value is no more."""
    actor: str


class Write(Struct, frozen=True, kw_only=True, eq=False):
    """A value on its way in."""

    subject: SubjectId
    name: Name
    field: Field
    """Only its type and its index count: the rest may have changed since it was read."""
    value: Any
    """Normalised; null deletes what is there."""
    by: Caller
    expected: frozenset[int] | None = None
    """Refused unless the value is one of these versions. Empty: unless there is one."""
    reenrol: bool = False
    """The person asked to be kept again."""

    def __repr__(self) -> str:
        return f"Write({self.name}, hidden)"


class Search(Struct, frozen=True, kw_only=True, eq=False):
    """A value by which people are looked for."""

    field: Field
    value: Any
    """Normalised."""
    by: Caller

    def __repr__(self) -> str:
        return f"Search({self.field.name}, hidden)"


class Written(Struct, frozen=True, kw_only=True):
    """What became of a write."""

    version: int
    masked: str
    at: datetime
    first: bool
    """There was no value before."""
    shared_with: int | None = None
    """How many others have the same value; null where nobody can be found by it."""


class Sealed(Struct, frozen=True, kw_only=True):
    """One version of a value, as it lies in the database."""

    handle: Handle
    name: Name
    version: int
    sealed: bytes
    at: datetime
    until: datetime | None = None
    """When a newer version took its place, or it was deleted."""

    @property
    def place(self) -> "Place":
        return Place(self.handle, self.name)

    def slot(self, tenant: TenantId) -> Slot:
        return Slot(
            tenant=tenant, handle=self.handle, field=self.name.field, label=self.name.label, version=self.version
        )


class Opened(Struct, frozen=True, kw_only=True):
    """A value in plain. Never log it, and never keep it longer than the request."""

    name: str
    version: int
    value: Any
    masked: str
    at: datetime

    def __repr__(self) -> str:
        return f"Opened({self.name}, {self.version}, hidden)"


class Opening(Struct, frozen=True, kw_only=True):
    """What was opened, by person and by the value's name. What a person doesn't have is missing."""

    values: Mapping[Handle, Mapping[str, Opened]]
    erased: AbstractSet[Handle]
    """Those whose key was destroyed."""
    fields: Mapping[str, Field]
    """What the tenant's fields allowed in the moment of opening."""
