"""Values that turn up nowhere by accident: one for each person, field and version.

Each has a mark in it that survives what the service does to a value, so whatever shows the value shows the mark:

    texts   Qz7Vk9Xw 017 03 1 a    person, place of the name in `NAMES`, version, part of the value
    phones  157913842 0172         person, label and version: the national number is nothing else
    dates   6174-01-18             a year of which no time stamp is, and a day of that year for each person

A date alone has too few forms to be told from others; in years so far away there are no others. A year or a day
without the rest of its date is not searched for, because masks show the year.
"""

import base64
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from service.vault.blind import form
from service.vault.fields import BUILT_IN, FieldType, Name
from service.vault.normal import normalised

PEOPLE = 200
MARK = "Qz7Vk9Xw"
DIALLED = "157913842"
FIRST_YEAR = 6174
OWN_FIELD = "loyalty_id"
NAMES = (*BUILT_IN, OWN_FIELD, "email#work", "phone#work", "free_text#note")
TYPES = {name: field.type for name, field in BUILT_IN.items()} | {OWN_FIELD: FieldType.IDENTIFIER}
DECOY = f"{MARK}9999990"
"""Meant to be found: the name of the client, which stands in logs, rows and audit entries."""


class Canary(Struct, frozen=True, kw_only=True):
    """A value as it is sent, and as it is kept."""

    subject: str
    name: str
    sent: Any
    kept: Any

    @property
    def texts(self) -> tuple[bytes, ...]:
        """What a person would recognise in it: the value, or each part, in every spelling that the service has."""
        match self.kept:
            case {"content": content}:
                return (content,)
            case dict():
                parts = [*self.kept["lines"], *(self.kept[name] for name in ("locality", "region", "postcode"))]
                return tuple(part.encode() for part in (*parts, json.dumps(self.sent), json.dumps(self.kept)))
            case _:
                matched = form(TYPES[Name.of(self.name).field], self.kept)
                return tuple({self.sent.encode(): 1, self.kept.encode(): 1, matched: 1})

    def hashed(self) -> Iterator[bytes]:
        """Yield what a careless hash might be taken of."""
        for text in self.texts:
            yield from {text, text.lower(), text.upper(), b"".join(text.split()).lower()}
        yield msgspec.msgpack.encode(self.kept)
        yield msgspec.json.encode(self.sent)
        if TYPES[Name.of(self.name).field] is FieldType.DOCUMENT:
            yield base64.b64encode(self.kept["content"])
        if self.name.startswith("phone"):
            yield self.kept.removeprefix("+").encode()
            yield self.kept.replace("+49", "0").encode()


def who(number: int) -> str:
    return f"s-{number:03}"


def marked(number: int, name: str = "email", version: int = 1, part: str = "a") -> str:
    return f"{MARK}{number:03}{NAMES.index(name):02}{version}{part}"


def canary(number: int, name: str, version: int = 1) -> Canary:
    """Return the value of a person under a name; every version is another."""
    sent = _sent(number, name, version)
    return Canary(subject=who(number), name=name, sent=sent, kept=normalised(TYPES[Name.of(name).field], sent))


def everybody(first: int = 0, end: int = PEOPLE) -> Iterator[Canary]:
    return (canary(number, name) for number in range(first, end) for name in NAMES)


def _sent(number: int, name: str, version: int) -> Any:
    """Return a value in a spelling of which the service makes another, where its type has several."""
    mark = marked(number, name, version)
    match Name.of(name).field:
        case "email":
            return f"{mark}@MAIL-{marked(number, name, version, 'b').upper()}.Example"
        case "phone":
            return f"+49 {DIALLED}{number:03}{2 * version + bool(Name.of(name).label)}"
        case "name":
            return f"  Zoe\u0308 {mark}"
        case "postal_address":
            line, locality, region, postcode, second = (marked(number, name, version, part) for part in "abcde")
            return {
                "lines": [f"{line}-Straße 5", f"Hof {second}"],
                "locality": locality,
                "region": region,
                "postcode": postcode,
                "country": "DE",
            }
        case "birth_date":
            return f"{date(FIRST_YEAR - 1 + version, 1, 1) + timedelta(days=number)}"
        case "free_text":
            return f"Said on the phone:\n{mark} is 'late' & \"sorry\" · 100%"
        case "document" | "request_letter" | "request_proof":
            return {"media_type": "text/plain", "content": base64.b64encode(f"Contract of {mark}\n".encode()).decode()}
        case _:
            return f"No  {mark}/7"
