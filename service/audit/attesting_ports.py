"""What asking witnesses and time-stamp authorities needs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from service.audit.tiles import Tile
from service.kernel import TenantId


class Silent(Exception):
    """No answer, or none that is one. A later one may be better."""


class Refused(Exception):
    """An answer that says no, and will say so again. `fork`: because it saw another tree than the log has."""

    def __init__(self, why: str, *, fork: bool = False) -> None:
        super().__init__(why)
        self.fork = fork


class Answer(Struct, frozen=True):
    """What came back over HTTP."""

    status: int
    body: bytes

    def refuse_silence(self) -> None:
        """Raise Silent where a later answer may be another: too many requests, or a fault of theirs."""
        if self.status == 429 or self.status >= 500:
            raise Silent(f"it answered {self.status}")


Post = Callable[[str, str, bytes], Awaitable[Answer]]
"""Posts a body of a media type to an address. Raises Silent."""


class Due(Struct, frozen=True):
    """A log whose newest checkpoint somebody has not seen."""

    tenant: TenantId
    seen: int
    """The size of the newest one that they saw; 0 for none."""


class SignedLog(Protocol):
    """One tenant's log, as those see it who attest it."""

    async def newest(self) -> str | None:
        """Return what was signed last, without others' signatures."""
        ...

    async def tiles(self, wanted: Sequence[Tile]) -> Mapping[Tile, bytes]:
        """Return the hashes of those tiles that are there."""
        ...

    async def cosigned(self, size: int, key: str, line: str, at: datetime) -> None:
        """Keep a witness's line, by its key as name+id. A second one of the same checkpoint is dropped."""
        ...

    async def stamped(self, size: int, token: bytes, at: datetime) -> None:
        """Keep a time-stamp. A second one of the same checkpoint is dropped."""
        ...


class Logs(Protocol):
    """The logs of all tenants. Halted ones are nobody's to see."""

    def of(self, tenant: TenantId) -> SignedLog: ...

    async def unseen(self, key: str) -> Sequence[Due]:
        """Return the logs whose newest checkpoint the witness of this key hasn't cosigned."""
        ...

    async def unstamped(self, before: datetime) -> Sequence[Due]:
        """Return the logs that grew since their last time-stamp, where that was before an instant."""
        ...


class Stamper(Protocol):
    """Asks for time-stamps, and judges them."""

    @property
    def media_type(self) -> str: ...

    def request(self, message: bytes) -> tuple[bytes, int]:
        """Return a request over `message`, and its nonce."""
        ...

    def judge(self, token: bytes, message: bytes, nonce: int) -> datetime:
        """Return when the token says that it saw the message. Raises Wrong."""
        ...
