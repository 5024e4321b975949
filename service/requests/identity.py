"""Showing who one is: by a code that is sent to an address the vault has, or by saying what is kept.

A code has eight digits, is good for ten minutes and for five tries, and there is one at a time for a request. What is
kept of it is a keyed hash, until the request is verified or ends.
"""

import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Handle, Instant, TenantId
from service.requests.lifecycle import State

DIGITS: Final = 8
GOOD_FOR: Final = timedelta(minutes=10)
TRIES: Final = 5
"""So often a code may be wrong, and what is said of a person in a day, whatever was asked for them."""
MOST_CODES: Final = 5
"""Codes that a person is sent in a day, whatever they asked for."""
DAY: Final = timedelta(days=1)

WAITING: Final = frozenset({State.RECEIVED, State.VERIFYING})
"""The states in which somebody may still show who they are."""

E_MAIL: Final = "e_mail_code"
PHONE: Final = "phone_code"


class IdentityNotShown(DomainError):
    """What was shown is not enough. Why is not told: it helps only who is somebody else."""

    code = "identity_not_shown"


class TooManyCodes(DomainError):
    """The person was sent as many codes as may be."""

    code = "too_many_codes"


class CodesNotSent(DomainError):
    """The operator has set up no way to send codes there."""

    code = "codes_not_sent"


class Address(Struct, frozen=True, kw_only=True):
    """Where a code goes: the name of a value in the vault, and nothing that a caller could choose."""

    name: str

    @property
    def channel(self) -> str:
        return "email" if self.name.startswith("email") else "sms"

    @property
    def method(self) -> str:
        return E_MAIL if self.channel == "email" else PHONE


class Sent(Struct, frozen=True, kw_only=True):
    """What is told of a code, whether or not there was an address."""

    request: UUID
    channel: str
    expires_at: Instant


class Code(Struct, frozen=True, kw_only=True):
    """A code on its way. Never log it."""

    tenant: TenantId
    request: UUID
    channel: str
    to: str
    code: str
    expires_at: Instant

    def __repr__(self) -> str:
        return f"Code({self.request}, hidden)"


class Challenge(Struct, frozen=True, kw_only=True):
    """What is kept while somebody shows who they are."""

    request: UUID
    handle: Handle
    since: Instant
    """From when codes and mistakes are counted."""
    codes: int = 0
    mistakes: int = 0
    """How often what was said of the person was not enough."""
    method: str | None = None
    mark: bytes | None = None
    """The live code, as a keyed hash; none once it was used up."""
    expires_at: Instant | None = None
    tries: int = 0
    """How often the live code was wrong."""

    def takes(self, mark: bytes, now: Instant) -> bool:
        """Return whether a code is the live one."""
        live = self.mark is not None and self.expires_at is not None and now < self.expires_at and self.tries < TRIES
        return hmac.compare_digest(self.mark or bytes(len(mark)), mark) and live


class Spent(Struct, frozen=True, kw_only=True):
    """What was tried with one person in a day."""

    codes: int
    mistakes: int
    since: Instant | None
    """From when that is counted."""


class Answer(Struct, frozen=True, kw_only=True, eq=False):
    """What somebody shows: a code, what is kept of them, or their own log-in."""

    code: str | None = None
    said: Mapping[str, Any] | None = None
    """What they say of themselves, by field of the vault."""
    declaration: bool = False
    """They declared, as the law wants it, that they are the person."""

    def __repr__(self) -> str:
        return "Answer(hidden)"
