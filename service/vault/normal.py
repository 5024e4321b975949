"""What a value must look like, and how it is kept: one spelling of each.

The libraries' messages quote what they were given, so none of them is passed on.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Final

import msgspec
import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from msgspec import Meta, Struct

from service.kernel import exactly
from service.vault.fields import LARGEST_DOCUMENT, FieldType
from service.vault.values import ValueRefused

LONGEST_TEXT: Final = 10_000
LONGEST_IDENTIFIER: Final = 200
_LONGEST_LOCAL: Final = 64
"""Octets before the ``@`` (RFC 5321, 4.5.3.1.1)."""
_UNSEEN: Final = frozenset({"Cf", "Co", "Cs", "Cn"})
"""Categories of what has no width or no meaning: zero-width and bidirectional marks, private and unassigned."""

_PLAIN_EMAIL: Final = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?:[a-z0-9]{1,63}\.){1,3}([a-z]{2,24})"
)
"""What nearly all addresses look like. The library says the same of these, and takes twenty times as long."""
_SPECIAL: Final = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)

Line = Annotated[str, Meta(min_length=1, max_length=200)]


class PostalAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=6)]
    locality: Line
    country: Annotated[str, exactly("[A-Z]{2}")]
    region: Line | None = None
    postcode: Annotated[str, Meta(min_length=1, max_length=20)] | None = None


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    media_type: Annotated[str, exactly("[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")]
    content: bytes


def normalised(kind: FieldType, value: Any) -> Any:
    """Return `value` in the one spelling in which it is kept, of msgpack's own types.

    Raises:
        ValueRefused: says what is expected, never what came.
    """
    found = _RULES[kind](value)
    if found is None:
        raise ValueRefused(f"the value is no {kind.value}: {_EXPECTED[kind]}", pointers=["/value"])
    return found


def _email(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > 254:
        return None
    text = value.strip()
    if (plain := _PLAIN_EMAIL.fullmatch(text)) and plain[1] not in _SPECIAL:
        return text
    try:
        checked = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError:
        return None
    local, _, domain = checked.normalized.rpartition("@")
    # The library leaves letters that only look like others, and counts characters where RFC 6531 counts octets.
    if len(local.encode()) > _LONGEST_LOCAL or unicodedata.normalize("NFKC", local) != local:
        return None
    return f"{local}@{domain.lower()}"


def _phone(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > 50:
        return None
    try:
        number = phonenumbers.parse(value.strip())
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFC", value).strip()
    if any(unicodedata.category(character) == "Cc" and character not in "\n\t" for character in text):
        return None
    return text if 0 < len(text) <= LONGEST_TEXT else None


def _identifier(value: Any) -> str | None:
    """Refuses what nobody sees, and keeps one spelling of what looks alike: no search would find it otherwise."""
    text = _text(unicodedata.normalize("NFKC", value)) if isinstance(value, str) else None
    if text is None or len(text) > LONGEST_IDENTIFIER:
        return None
    if any(unicodedata.category(character) in _UNSEEN for character in text):
        return None
    return " ".join(text.split())


def _date(value: Any) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _address(value: Any) -> Any | None:
    try:
        return msgspec.to_builtins(msgspec.convert(value, PostalAddress))
    except msgspec.ValidationError:
        return None


def _document(value: Any) -> dict[str, Any] | None:
    try:
        document = msgspec.convert(value, Document)
    except (msgspec.ValidationError, ValueError):
        return None
    return msgspec.structs.asdict(document) if len(document.content) <= LARGEST_DOCUMENT else None


_RULES: Final[Mapping[FieldType, Callable[[Any], Any]]] = {
    FieldType.EMAIL: _email,
    FieldType.PHONE: _phone,
    FieldType.TEXT: _text,
    FieldType.IDENTIFIER: _identifier,
    FieldType.DATE: _date,
    FieldType.ADDRESS: _address,
    FieldType.DOCUMENT: _document,
}
_EXPECTED: Final[Mapping[FieldType, str]] = {
    FieldType.EMAIL: "one address, such as `ann@mail.example`, 64 octets before the `@` at most, none hidden",
    FieldType.PHONE: "a number with its country, such as `+49 30 123456`, and no extension",
    FieldType.TEXT: f"1 to {LONGEST_TEXT:,} characters, no control characters",
    FieldType.IDENTIFIER: f"1 to {LONGEST_IDENTIFIER} characters, none of them hidden",
    FieldType.DATE: "a day, such as `1980-05-17`",
    FieldType.ADDRESS: "`lines`, `locality`, `country` as two capital letters, and perhaps `region` and `postcode`",
    FieldType.DOCUMENT: "`media_type`, and `content` in base64, 1 MiB at most",
}
