"""What only the controller can say, and what of a package is about others: declared once, for everybody alike."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from service.kernel import exactly
from service.packages.domain import Contact, LeftOut

REDACTED: Final = "[…]"
"""What stands in a text for a name of somebody else."""
STAFF: Final = "staff"

Line = Annotated[str, Meta(min_length=1, max_length=2_000)]
Lines = Annotated[tuple[Line, ...], Meta(max_length=200)]
Member = Annotated[str, exactly("[a-z][a-z_]{0,62}")]
Hidden = Annotated[str, Meta(min_length=2, max_length=200)]


class Declared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a controller states, in its own words, in the language in which it wants to be read."""

    contact: Contact = Contact()
    automated: Line | None = None
    transfers: Lines = ()
    sources: Lines = ()
    retention: Lines = ()
    recipients: dict[Line, Line] = {}
    """What clients are called, by their ids."""
    hide_members: Annotated[tuple[Member, ...], Meta(max_length=100)] = ("subject_ref",)
    """Members of records that are about others."""
    hide_texts: Annotated[tuple[Hidden, ...], Meta(max_length=1_000)] = ()
    """Names of others; wherever texts have them, in whatever case, they are not told."""
    staff: Annotated[tuple[Line, ...], Meta(max_length=1_000)] = ()
    """Clients that are a person's: told as an employee, and no more."""


NOTHING_DECLARED: Final = Declared()


class Redaction:
    """Leaves out what is about others, and counts it."""

    def __init__(self, declared: Declared) -> None:
        self._members = frozenset(declared.hide_members)
        self._staff = frozenset(declared.staff)
        longest_first = sorted(declared.hide_texts, key=lambda text: (-len(text), text))
        found = "|".join(map(re.escape, longest_first))
        self._texts = re.compile(found, re.IGNORECASE) if found else None
        self._counted: Counter[str] = Counter()

    def said(self, statement: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the members of a statement that are told, and the names of the others."""
        hidden = sorted(statement.keys() & self._members)
        self._counted.update(hidden)
        return {name: self.text(value) for name, value in statement.items() if name not in hidden}, tuple(hidden)

    def text(self, value: Any) -> Any:
        """Return a value without the names of others, also deep inside."""
        if self._texts is None:
            return value
        if isinstance(value, str):
            told, times = self._texts.subn(REDACTED, value)
            self._counted["texts"] += times
            return told
        if isinstance(value, Mapping):
            return {name: self.text(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.text(each) for each in value]
        return value

    def client(self, actor: str) -> str:
        if actor not in self._staff:
            return actor
        self._counted[STAFF] += 1
        return STAFF

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return tuple(LeftOut(what=what, times=times) for what, times in sorted(self._counted.items()) if times)
