"""What a field of the vault is: its type, who may read it in plain, and how it looks masked.

A value's name is its field's, or `field#label` where a person has several of one field. Its plaintext is the
msgpack of the normalised value: text for most types, `{lines, locality, region, postcode, country}` for an
address, `{media_type, content}` for a document.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import Struct

from service.kernel import DomainError, exactly

_FIELD: Final = "[a-z][a-z0-9_]{0,62}"
_LABEL: Final = "[a-z0-9][a-z0-9_-]{0,62}"
FieldName = Annotated[str, exactly(_FIELD)]
ValueName = Annotated[str, exactly(f"{_FIELD}(#{_LABEL})?")]
"""A field, and the label that tells several values of it apart: ``email``, ``email#work``."""
FieldPurpose = Annotated[str, exactly("(x-[a-z0-9-]{1,60}|[a-z][a-z_]{0,62})")]

LARGEST_DOCUMENT: Final = 1024 * 1024
"""Bytes of a document's content."""
HIDDEN: Final = "•••"
_SHORT: Final = 6
"""Of so few characters the last two would tell too much."""
_WORD: Final = 2
"""Of so few characters the first would tell too much."""
_KINDS: Final = frozenset({"application", "audio", "font", "image", "message", "model", "multipart", "text", "video"})
"""The top-level media types that are registered. What stands behind the slash is the tenant's own word."""


class FieldType(StrEnum):
    """What a value of a field looks like."""

    EMAIL = "email"
    PHONE = "phone"
    TEXT = "text"
    IDENTIFIER = "identifier"
    """Letters and digits that name somebody or something; case and blanks don't count."""
    DATE = "date"
    ADDRESS = "address"
    DOCUMENT = "document"


class Sensitivity(StrEnum):
    """How much harm a leak does, in the tenant's judgement."""

    CONTACT = "contact"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"


class Masking(StrEnum):
    """What is left of a value for those who may not read it."""

    EMAIL = "email"
    """``a•••@e•••.example``"""
    LAST_TWO = "last_two"
    INITIALS = "initials"
    YEAR = "year"
    AREA = "area"
    """Country and the first two characters of the postcode."""
    KIND = "kind"
    """Whether a document is an image, a text and so on."""
    HIDDEN = "hidden"


_TEXTS: Final = frozenset({FieldType.EMAIL, FieldType.PHONE, FieldType.TEXT, FieldType.IDENTIFIER})
SUITS: Final[Mapping[Masking, frozenset[FieldType]]] = {
    Masking.EMAIL: frozenset({FieldType.EMAIL}),
    Masking.LAST_TWO: _TEXTS - {FieldType.EMAIL},
    Masking.INITIALS: frozenset({FieldType.TEXT}),
    Masking.YEAR: frozenset({FieldType.DATE}),
    Masking.AREA: frozenset({FieldType.ADDRESS}),
    Masking.KIND: frozenset({FieldType.DOCUMENT}),
    Masking.HIDDEN: frozenset(FieldType),
}
"""For which types a rule knows what to do."""

MATCHED: Final = frozenset({FieldType.EMAIL, FieldType.PHONE, FieldType.IDENTIFIER})
"""Types of which two values are the same or not: they can be indexed, and suppressed."""


REACHED_ON: Final[Mapping[FieldType, frozenset[str]]] = {
    FieldType.EMAIL: frozenset({"email"}),
    FieldType.PHONE: frozenset({"phone", "phone_auto", "sms", "messaging_app", "fax"}),
    FieldType.ADDRESS: frozenset({"post"}),
}
"""On which channels a value of a type reaches somebody, for the types that are addresses."""
_REACHED_BY_NAME: Final = {"device_id": frozenset({"push", "in_app", "web", "ads"})}
"""Of built-in fields whose type alone doesn't say it. A type of no entry is no address."""


class FieldUnusable(DomainError):
    """The field contradicts itself: its masking or its index doesn't suit its type."""

    code = "field_unusable"


class FieldRedefined(DomainError):
    """A field that exists keeps its type and its index: what lies in the vault was written by them."""

    code = "field_redefined"


class FieldUnknown(DomainError):
    """The tenant has no field of this name."""

    code = "unknown_field"


class Field(Struct, frozen=True, kw_only=True):
    """One kind of value, as a tenant keeps it."""

    name: str
    type: FieldType
    sensitivity: Sensitivity
    purposes: tuple[str, ...]
    """Those for which it may be read in plain."""
    masking: Masking
    retention_days: int | None = None
    """So long a version can be opened after it was replaced or deleted; null: as long as the person's key is there."""
    indexed: bool = False
    """Whether people can be found by it."""

    def serves(self, channel: str) -> bool:
        """Return whether a contact on `channel` may need it: an address of another channel doesn't."""
        reached_on = _REACHED_BY_NAME.get(self.name) or REACHED_ON.get(self.type)
        return reached_on is None or channel in reached_on

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            FieldUnusable: pointing to what doesn't suit the type.
        """
        if self.type not in SUITS[self.masking]:
            raise FieldUnusable("this masking does not suit the type", pointers=["/masking"])
        if self.indexed and self.type not in MATCHED:
            raise FieldUnusable("values of this type can't be looked up", pointers=["/indexed"])


class Name(Struct, frozen=True):
    """The name of a value, taken apart."""

    field: str
    label: str = ""

    @classmethod
    def of(cls, name: str) -> "Name":
        field, _, label = name.partition("#")
        return cls(field, label)

    def __str__(self) -> str:
        return f"{self.field}#{self.label}" if self.label else self.field


OFFICER_PURPOSES: Final = ("dsr_response", "legal_claim")
"""Purposes of officers: no decision stands behind them, and every field allows them."""
USES: Final = frozenset({
    "personalization", "profiling", "adm", "analytics", "email_tracking", "targeted_ads", "sale_share", "sensitive_use",
})  # fmt: skip
"""Purposes that contact nobody. Any other is a contact, on the channel that was decided on."""
_MESSAGES: Final = (
    "service", "security", "support", "legal_notice", "reconsent", "doi_confirmation", "optout_confirmation",
    "fip_enrolment", "marketing", "partner_marketing", "fundraising", "survey", "political_ads",
)  # fmt: skip
_DEVICE: Final = (*_MESSAGES, "targeted_ads")


def _built_in(
    name: str,
    type_: FieldType,
    sensitivity: Sensitivity,
    masking: Masking,
    purposes: tuple[str, ...] = (),
    *,
    indexed: bool = False,
) -> Field:
    return Field(
        name=name,
        type=type_,
        sensitivity=sensitivity,
        purposes=(*purposes, *OFFICER_PURPOSES),
        masking=masking,
        indexed=indexed,
    )


_ALL: Final = (
    _built_in("email", FieldType.EMAIL, Sensitivity.CONTACT, Masking.EMAIL, _MESSAGES, indexed=True),
    _built_in("phone", FieldType.PHONE, Sensitivity.CONTACT, Masking.LAST_TWO, _MESSAGES, indexed=True),
    _built_in("name", FieldType.TEXT, Sensitivity.PERSONAL, Masking.INITIALS, (*_MESSAGES, "personalization")),
    _built_in("postal_address", FieldType.ADDRESS, Sensitivity.CONTACT, Masking.AREA, _MESSAGES),
    _built_in("birth_date", FieldType.DATE, Sensitivity.PERSONAL, Masking.YEAR, ("security",)),
    _built_in("national_id", FieldType.IDENTIFIER, Sensitivity.SENSITIVE, Masking.LAST_TWO, indexed=True),
    _built_in("device_id", FieldType.IDENTIFIER, Sensitivity.PERSONAL, Masking.LAST_TWO, _DEVICE, indexed=True),
    _built_in("payment_ref", FieldType.IDENTIFIER, Sensitivity.SENSITIVE, Masking.LAST_TWO, ("service",)),
    _built_in("free_text", FieldType.TEXT, Sensitivity.SENSITIVE, Masking.HIDDEN, ("service", "support")),
    _built_in("document", FieldType.DOCUMENT, Sensitivity.SENSITIVE, Masking.KIND, ("service",)),
    _built_in("request_letter", FieldType.DOCUMENT, Sensitivity.SENSITIVE, Masking.KIND),
    _built_in("request_proof", FieldType.DOCUMENT, Sensitivity.SENSITIVE, Masking.KIND),
)
BUILT_IN: Final[Mapping[str, Field]] = {field.name: field for field in _ALL}
"""What every tenant has. A field of its own with the same name takes its place, of the same type."""


def mask(field: Field, value: Any) -> str:
    """Return what is left of a normalised value. How long it was is never told."""
    match field.masking:
        case Masking.EMAIL:
            local, _, domain = value.rpartition("@")
            place, _, last = domain.rpartition(".")
            return f"{_initial(local)}@{_initial(place)}.{last}"
        case Masking.LAST_TWO:
            return HIDDEN + (value[-2:] if len(value) > _SHORT else "")
        case Masking.INITIALS:
            return " ".join(map(_initial, value.split()[:3])) or HIDDEN
        case Masking.YEAR:
            return f"{value[:4]}-••-••"
        case Masking.AREA:
            postcode = value.get("postcode") or ""
            return f"{value['country']} {postcode[:2] if len(postcode) > _WORD else ''}{HIDDEN}"
        case Masking.KIND:
            kind = value["media_type"].partition("/")[0]
            return f"{kind} {HIDDEN}" if kind in _KINDS else HIDDEN
        case Masking.HIDDEN:
            return HIDDEN


def _initial(word: str) -> str:
    return f"{word[:1]}{HIDDEN}" if len(word) > _WORD else HIDDEN
