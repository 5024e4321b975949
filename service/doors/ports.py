from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from service.doors.domain import Door, Taken
from service.downstreams import Fault
from service.kernel import Caller, Instant, SubjectId, TenantId
from service.requests import RequestTransaction

Find = Callable[[str, str, Caller], Awaitable[Sequence[SubjectId]]]
"""Returns who has a value in a field of the vault: nobody where that is no field, or can't be looked for.

Raises:
    RingUnavailable
"""

Allowed = Callable[[str], None]
"""Refuses an address that can be seen to lead where nothing may be sent.

Raises:
    CallbackUnusable
"""


class Callback(Struct, frozen=True, kw_only=True):
    """An address that is told how far a request is."""

    id: UUID
    request: UUID
    sealed: bytes
    """The address. It may hold a secret of its owner's."""
    told: int
    """As of which version of the case."""
    said: str
    """What it was told last, as `Status.said` has it; at first what the answer to the request said."""
    attempts: int = 0


class Agent(Struct, frozen=True, kw_only=True):
    """An agent of the network from whom a tenant takes requests."""

    agent: str
    token: bytes
    """SHA-256 of the one that is good: 32 random bytes need no salt."""
    issued_at: Instant
    """Of the message by which it asked for that token. One that is not newer may be a copy."""
    made_at: Instant


class DoorStore(Protocol):
    """What came through the doors of one tenant."""

    async def find(self, door: Door, sender: str, reference: bytes) -> Taken | None: ...

    async def read(self, request: UUID) -> Taken | None: ...

    async def add(self, taken: Taken, callbacks: Sequence[Callback]) -> bool:
        """Store a request of a stored case; return whether what its sender calls it was free."""
        ...

    async def revoke(self, request: UUID, message: bytes) -> bool:
        """Note what took a request back; return False if the same took back another one."""
        ...

    async def due(self, now: datetime) -> Sequence[TenantId]:
        """Return the tenants, as the worker, of whose cases something is to be told."""
        ...

    async def claim(self, now: datetime, again_at: datetime, *, most: int) -> Sequence[Callback]:
        """Return addresses whose case moved since they were told, each counted as an attempt and due at `again_at`."""
        ...

    async def told(self, callback: UUID, version: int, said: str, *, final: bool) -> None:
        """Store what an address knows now, as of a version of the case; nothing more comes after what is `final`."""
        ...

    async def failed(self, callback: UUID, fault: Fault, again_at: datetime) -> None: ...

    async def lost(self, callback: UUID, fault: Fault, version: int) -> None:
        """Store that an address couldn't be told of a version. It is tried again with the next one."""
        ...

    async def put_agent(self, agent: Agent) -> bool:
        """Store an agent, whose token before is good no longer; return False if the message isn't newer."""
        ...

    async def agent_with(self, token: bytes) -> Agent | None:
        """Return whose token has this hash."""
        ...


class DoorTransaction(RequestTransaction, Protocol):
    """What a use case about doors may touch; stored together or not at all."""

    @property
    def doors(self) -> DoorStore: ...


Begin = Callable[[TenantId], AbstractAsyncContextManager[DoorTransaction]]
"""Opens a transaction of one tenant: commits when the block ends, rolls back when it raises."""

Signs = Callable[[bytes], str]
"""Signs a body, in base64."""


class Processor(Struct, frozen=True):
    """Who answers in OpenDSR."""

    domain: str
    certificate_url: str
    sign: Signs

    def headers(self, body: bytes) -> dict[str, str]:
        """Return what shows whose words these are (section 8.3)."""
        return {"x-opendsr-processor-domain": self.domain, "x-opendsr-signature": self.sign(body)}


class Directory(Protocol):
    """Knows who is an agent of the network."""

    async def __call__(self, agent: str, /) -> bytes | None:
        """Return the Ed25519 key of an agent; nothing if there is no such agent.

        Raises:
            Unavailable
        """
        ...


Verifies = Callable[[bytes, bytes, bytes], bool]
"""Returns whether an Ed25519 key made a signature over a message: key, signature, message."""

RandomBytes = Callable[[int], bytes]
