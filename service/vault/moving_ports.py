from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from service.kernel import Handle
from service.vault.fields import Name
from service.vault.ports import KeyTransaction


class Version(Struct, frozen=True, kw_only=True):
    """One version of a value of somebody, as it is kept."""

    name: Name
    version: int
    sealed: bytes
    at: datetime
    actor: str
    deleted_at: datetime | None


class MovingStore(Protocol):
    """The values of one tenant, on their way from one person to another."""

    async def history(self, handle: Handle) -> Sequence[Version]:
        """Return every version of every value of a person, each value's oldest first."""
        ...

    async def add(self, handle: Handle, versions: Sequence[Version]) -> None:
        """Store versions as they were, for another person."""
        ...

    async def hand_over(self, source: Handle, target: Handle, names: Mapping[Name, Name]) -> None:
        """Let the index and the tokens of one person be another's; `names` are the values' names with either."""
        ...


class MovingTransaction(KeyTransaction, Protocol):
    """What moving values needs of a transaction."""

    @property
    def moving(self) -> MovingStore: ...
