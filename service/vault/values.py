"""Values: sealed as they lie in the database, and opened as they leave it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from msgspec import Struct

from service.kernel import Handle, TenantId
from service.vault.domain import Slot
from service.vault.fields import Name


class Sealed(Struct, frozen=True, kw_only=True):
    """One version of a value, as it lies in the database."""

    handle: Handle
    name: Name
    version: int
    sealed: bytes
    at: datetime
    until: datetime | None = None
    """When a newer version took its place, or it was deleted."""

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
