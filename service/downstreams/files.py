"""Files that systems bring when they are asked for a copy of what they hold about a person."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Handle

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a file."""
MOST: Final = 64
"""Files of one task."""


class FileNotAsked(DomainError):
    """The task asks for no copy."""

    code = "file_not_asked"


class FileTooLarge(DomainError):
    """It has more bytes than a file may have."""

    code = "file_too_large"


class FileIdReused(DomainError):
    """Another file has this id."""

    code = "file_id_reused"


class TooManyFiles(DomainError):
    """The task has as many files as it may have."""

    code = "too_many_files"


class File(Struct, frozen=True, kw_only=True):
    """A file in plain. Never log it, and never keep it longer than the request."""

    name: str
    media_type: str
    content: bytes

    def __repr__(self) -> str:
        return "File(hidden)"


class Brought(Struct, frozen=True, kw_only=True):
    """That a system brought a file. What it is called, and what it says, lies sealed."""

    id: UUID
    task: UUID
    request: UUID
    system: str
    handle: Handle
    """Under whose key it lies."""
    size: int
    """Bytes in plain."""
    at: datetime
