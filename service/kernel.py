"""Names that every slice shares. Imports nothing of ours."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, NewType, Protocol
from uuid import UUID

from msgspec import Meta, Struct


def exactly(pattern: str) -> Meta:
    """Match the whole string.

    ``^…$`` alone lets a trailing newline pass in Python, though not in the
    JavaScript dialect that OpenAPI speaks.
    """
    return Meta(pattern=f"^{pattern}$(?!\\n)")


SCOPES: Final = (
    "decide", "audiences", "records:write", "records:read", "records:export", "subjects:write", "policy:read",
    "policy:write", "audit:read", "audit:export", "audit:hold",
    "vault:write", "vault:read", "vault:lookup", "vault:officer",
    "vault:reveal", "requests:write", "requests:manage", "downstreams:manage", "downstreams:tasks",
)  # fmt: skip
"""What a token can be good for. A customer's own token has the scope ``self`` instead."""

TenantId = NewType("TenantId", str)
"""One data controller. Lower-case letters, digits and hyphens."""

SubjectId = NewType("SubjectId", str)
"""A natural person, by the tenant's own opaque id."""

Handle = NewType("Handle", UUID)
"""The random id Volens gives a subject. Everything that must outlive an erasure names it."""

TenantName = Annotated[str, exactly("[a-z0-9][a-z0-9-]{0,62}")]
SubjectRef = Annotated[str, exactly("[A-Za-z0-9._:-]{1,128}")]
"""Has no room for an ``@`` or a ``+``: an address can't slip in as a key."""

VAULT_WORDS: Final = ("approvals", "fields", "import", "lookup", "reveal", "tokens")
"""What stands in the place of a subject in addresses of the vault."""
NewSubjectRef = Annotated[str, exactly(f"(?!({'|'.join(VAULT_WORDS)})$)[A-Za-z0-9._:-]{{1,128}}")]
"""A subject that comes into being. One named like a word of the vault could not be addressed there."""

IdentifierId = Annotated[str, exactly("([a-z][a-z0-9_-]{0,62}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")]
"""The id of an e-mail address, number or device in the vault: a word or a UUID. No address or number fits."""

Instant = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with an offset. A naive time is refused, never guessed."""

Clock = Callable[[], datetime]
"""Tells the time, always UTC. Injected, so that tests and replays own it."""

NewId = Callable[[], UUID]
"""Makes a UUIDv7: unique without a sequence, and roughly in order of time."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks, on whose behalf, and in which request. Goes into every audit entry."""

    tenant: TenantId
    actor: str
    """The client id of the token, or ``self`` when the subject acts with their own."""
    request: str
    """The request id: joins log lines, problems and audit entries."""
    scopes: frozenset[str] = frozenset()
    subject: SubjectId | None = None
    """Set on a `self` token: the one subject it reaches."""


class DomainError(Exception):
    """A refusal the caller can act on.

    The message and the details may be logged and sent to the caller, so they repeat nothing
    that was sent. `pointers` are JSON Pointers (RFC 6901) to what is wrong in the body, `parameters`
    the names of what is wrong in the address.
    """

    code: ClassVar[str]

    def __init__(
        self, message: str, *, pointers: Sequence[str] = (), parameters: Sequence[str] = (), **details: Any
    ) -> None:
        super().__init__(message)
        self.pointers = tuple(pointers)
        self.parameters = tuple(parameters)
        self.details = details


class Unavailable(DomainError):
    """A part that we need does not answer. Nothing was stored; asking again is safe."""

    code = "unavailable"


class Contended(Unavailable):
    """Two transactions stood in each other's way, and this one was given up. Nothing was stored; it may begin anew."""

    code = "contended"


class Turn(Protocol):
    """The place of a work among those that follow each other, two of which are under way at once."""

    def ready(self) -> None:
        """Let the next one begin: all is held, or read, for which it would have to wait."""
        ...

    async def mine(self, *, holding: bool) -> None:
        """Return when everything before is done. The next may begin if `holding`, else not before the caller is ready.

        Raises:
            Contended: what is before may wait for what the caller is `holding`. Let go, and ask again without.
            Unavailable: what is before was not done, and nothing after it may be.
        """
        ...


InTurn = Callable[[AsyncIterator[Callable[[Turn], Awaitable[Any]]]], AsyncGenerator[Any]]
"""Yields what each work returns, in their order, and has the next one under way meanwhile."""

Ahead = Callable[[AsyncIterator[Any]], AsyncGenerator[Any]]
"""Yields the same, and has the next worked on meanwhile."""
