"""What connected systems answered to a request, as files of a package: under which names, and how much of it."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

from service.kernel import TenantId
from service.packages.domain import SUFFIXES, ConnectedTold, NotTold, SystemTold
from service.packages.ports import Answered
from service.vault import Unreadable

FILES: Final = 1_000
"""Of all systems together."""
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a file."""
TOGETHER: Final = 512 * 1024 * 1024
"""Bytes of all of them."""
_LENGTH: Final = 80
_SUFFIXES: Final = {**SUFFIXES, "application/json": "json", "text/csv": "csv"}
_ENDING: Final = re.compile(r"(?<=.)\.[A-Za-z0-9]{1,8}$")
_UNSAFE: Final = re.compile("[^A-Za-z0-9_-]+")


class NothingConnected:
    """Of a package that answers no request."""

    async def outcomes(self, tenant: TenantId, request: UUID) -> Sequence[SystemTold]:
        return ()

    async def answers(self, tenant: TenantId, request: UUID) -> Sequence[Answered]:
        return ()

    def content(self, tenant: TenantId, answer: Answered) -> AsyncIterator[bytes]:
        raise Unreadable("there are no connected systems")


def connected_told(answers: Iterable[Answered]) -> Iterator[tuple[Answered, ConnectedTold]]:
    """Yield each answer with what is told of it, by system and name; the same for the same answers.

    What is too much is named and not told. A name says nothing about what a file is: only a media type that runs
    nothing gives it a suffix.
    """
    together = 0
    for number, each in enumerate(sorted(answers, key=lambda each: (each.system, each.name)), start=1):
        left_out = None
        if number > FILES:
            left_out = NotTold.TOO_MANY
        elif each.size > LARGEST or together + each.size > TOGETHER:
            left_out = NotTold.TOO_LARGE
        else:
            together += each.size
        file = None if left_out else f"connected/{_safe(each.system)}/{number:04}-{_named(each)}"
        yield (
            each,
            ConnectedTold(
                system=each.system,
                name=each.name,
                media_type=each.media_type,
                size=each.size,
                file=file,
                not_told=left_out,
            ),
        )


def _named(answer: Answered) -> str:
    return f"{_safe(_ENDING.sub('', answer.name))}.{_SUFFIXES.get(answer.media_type, 'bin')}"


def _safe(name: str) -> str:
    """Return what every system takes for a name of one file, and none for a place elsewhere."""
    return _UNSAFE.sub("-", name).strip("-")[:_LENGTH] or "unnamed"
