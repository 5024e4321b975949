"""The words of a package in one language."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from service.packages.domain import Language

When = Callable[[datetime], str]
"""Writes an instant as people of the language do, in UTC."""

KINDS: Final = (
    "page", "field", "fact", "flag", "action", "channel", "purpose", "basis", "effect", "role", "origin", "kept",
    "until", "right", "asked", "request", "left_out", "outcome",
)  # fmt: skip
"""What there are words for. Beneath each are codes."""


class Words(Struct, frozen=True, kw_only=True, eq=False):
    """The catalogue of a language: by kind, then by code."""

    language: Language
    catalogue: Mapping[str, Mapping[str, str]]
    when: When

    def of(self, kind: str, code: str) -> str | None:
        """Return the words for a code; nothing for one that has none, such as a tenant's own purpose."""
        return self.catalogue[kind].get(code)

    def page(self, key: str) -> str:
        return self.catalogue["page"][key]
