from collections.abc import Callable
from typing import Protocol

from service.requests.identity import Code

NewCode = Callable[[], str]
"""Returns `DIGITS` digits that nobody can foresee."""


class Post(Protocol):
    """Sends codes. Whether one arrives is not known: whoever gets none asks for another."""

    def reaches(self, channel: str) -> bool:
        """Return whether there is a way."""
        ...

    def __call__(self, code: Code) -> None:
        """Take a code to be sent, and return at once: how long that takes tells nobody whether there is an address."""
        ...
