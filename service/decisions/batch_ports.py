"""What a batch asks of the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from service.audit import Secret
from service.consent import Profile, StateUnreadable
from service.decisions.narrow import Narrow
from service.decisions.overlay import InForce
from service.decisions.packed import Chunk
from service.kernel import Caller, SubjectId, TenantId


class Row(Struct, frozen=True, gc=False):
    """Somebody who has a narrow row."""

    handle: bytes
    secret: bytes | None
    frame: bytes
    """Names the frame."""
    days: bytes


class Known(Struct, frozen=True, kw_only=True):
    """All that is known of somebody, and the versions of the rows that say so."""

    profile: Profile | StateUnreadable
    handle: bytes
    secret: bytes | None
    stamp: str


class NarrowRows(Protocol):
    """People, many at once. What governs the tenant is read beside them, so that no process lags."""

    async def read(
        self, tenant: TenantId, subjects: Sequence[SubjectId]
    ) -> tuple[InForce, Secret | None, Sequence[Row | None]]:
        """Return what governs the tenant, its own secret, and a row for each, in their order; none for who has none.

        Raises:
            Unavailable
        """
        ...

    async def frames(self, tenant: TenantId, names: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Return the bodies of frames."""
        ...

    async def known(self, tenant: TenantId, subjects: Sequence[SubjectId]) -> Mapping[SubjectId, Known]:
        """Return all that is known of people; nothing for strangers."""
        ...

    async def verdicts(self, tenant: TenantId, revision: str, hashes: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Return what the policy of a revision once answered to facts, by their hash."""
        ...

    async def keep(self, tenant: TenantId, rows: Sequence[tuple[SubjectId, Known, Narrow]]) -> None:
        """Store the narrow rows of those of whom nothing has changed since, and who don't change at this moment."""
        ...


class PackedLog(Protocol):
    async def append(self, chunk: Chunk, *, by: Caller) -> None:
        """Store a chunk, what it points to and its audit entry. Durable when this returns.

        Raises:
            DecisionUnavailable: it could not be stored, so it must not be told.
        """
        ...


Asked = Sequence[SubjectId | None]
"""Subjects in the order of their lines; nothing for a line that names none."""
