"""What a person and the controller write to each other about a request, and what shows who somebody is.

What is written lies sealed in the vault, under the person's key. Here is only that it was.
"""

from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Instant
from service.vault import LETTER, PROOF, Letter

LARGEST: Final = 1024 * 1024
"""Bytes of a text or a file."""
MOST: Final = 100
"""Letters about one request."""
TEXT: Final = "text/plain"
MEDIA_TYPES: Final = (TEXT, "application/pdf", "image/jpeg", "image/png")


class LetterUnknown(DomainError):
    """There is no such letter about the request."""

    code = "letter_unknown"


class LetterGone(DomainError):
    """It showed who somebody was, and went with the case; or the person was erased."""

    code = "letter_gone"


class LetterIdReused(DomainError):
    """Another letter has this id."""

    code = "letter_id_reused"


class LetterTooLarge(DomainError):
    """It has more bytes than a letter may have."""

    code = "letter_too_large"


class LetterUnclear(DomainError):
    """It is neither a text nor a file, or both."""

    code = "letter_unclear"


class TooManyLetters(DomainError):
    """As much was written about this request as may be."""

    code = "too_many_letters"


class About(StrEnum):
    """What is written."""

    MESSAGE = "message"
    REFUSAL = "refusal"
    """Why a request is refused, in words for the person."""
    AUTHORITY = "authority"
    """What shows that an agent may ask, such as a signed permission."""
    IDENTITY = "identity"
    """What shows who somebody is, such as a signed declaration."""


BY_STAFF: Final = frozenset({About.REFUSAL})
PROOFS: Final = frozenset({About.AUTHORITY, About.IDENTITY})


class Written(Struct, frozen=True, kw_only=True):
    """That something was written. Never changed."""

    id: UUID
    request: UUID
    about: About
    own: bool
    """Whether the person wrote it, with their own token."""
    media_type: str
    size: int
    """Of the content, in bytes."""
    at: Instant
    actor: str

    @property
    def proof(self) -> bool:
        """Whether it goes when the case ends."""
        return self.about in PROOFS

    @property
    def field(self) -> str:
        """The field of the vault in which it lies."""
        return PROOF if self.proof else LETTER


class Read(Struct, frozen=True, kw_only=True):
    """A letter, opened."""

    written: Written
    letter: Letter
