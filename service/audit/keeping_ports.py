from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from service.audit.keeping import Content, Hold, Step, Trace
from service.kernel import Caller, Handle, TenantId


class ContentStore(Protocol):
    """What is past its period. Reads none of it out."""

    async def tenants(self) -> Sequence[TenantId]:
        """Return all of them."""
        ...

    async def expire(
        self, content: Content, ended_by: datetime, *, after: str, limit: int, dry: bool, entry: UUID, by: Caller
    ) -> Step:
        """Remove what is over, of the next `limit` that there are; with `dry`, only count it.

        The audit entry that says how much is stored with it, under the id `entry`. What is held stays.
        """
        ...


class Traces(Protocol):
    """What is left of content that went."""

    async def of(self, content: Content, ids: Collection[UUID]) -> Mapping[UUID, Trace]:
        """Return the traces of those that are gone."""
        ...

    async def of_person(self, content: Content, handle: Handle, until: datetime, since: datetime | None = None) -> bool:
        """Return whether anything about a person is gone that had been stored by an instant, and not before another."""
        ...


class HoldStore(Protocol):
    """The holds of one tenant."""

    async def lock(self, name: str) -> Hold | None:
        """Return a hold that nobody else changes until this transaction ends."""
        ...

    async def put(self, hold: Hold) -> None:
        """Store a hold, in the place of one of its name that was lifted, or is now. Its entry has to be there.

        Raises:
            Contended: another of its name came in between.
        """
        ...

    async def over(self, handles: Collection[Handle]) -> Sequence[Hold]:
        """Return the holds in force that name one of `handles`, or everybody, by name; of whatever period."""
        ...

    async def page(self, *, after: str | None, limit: int) -> Sequence[Hold]:
        """Return at most `limit` holds, by name, those that were lifted as well."""
        ...
