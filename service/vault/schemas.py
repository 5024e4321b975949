from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from service.vault.fields import Field, FieldName, FieldPurpose, FieldType, Masking, Sensitivity
from service.vault.values import Standing, Written

Given = Annotated[str, Meta(min_length=1, max_length=10_000)] | dict[str, Any]
"""A text; an address `{lines, locality, country, region?, postcode?}`; a document `{media_type, content}`."""


class ValuePut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value, in whatever spelling; it is kept in one."""

    value: Given
    reenrol: bool = False
    """The person asked to be kept again, after they had asked not to be. Needs the scope `vault:officer`."""


class WrittenView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a value."""

    subject: str
    field: str
    version: int
    masked: str
    at: datetime
    shared_with: int | None = None
    """How many other people have the same value: for those who may look up, and counted as a lookup. Left out where
    nobody can be found by it, and for who looked up too often."""

    @classmethod
    def of(cls, subject: str, field: str, written: Written) -> "WrittenView":
        return cls(
            subject=subject,
            field=field,
            version=written.version,
            masked=written.masked,
            at=written.at,
            shared_with=written.shared_with,
        )


class MaskedView(Struct, frozen=True, kw_only=True):
    field: str
    """With its label: `email#work`."""
    version: int
    masked: str
    at: datetime


class VersionView(Struct, frozen=True, kw_only=True):
    """One version of a value, without what it says."""

    field: str
    version: int
    at: datetime
    until: datetime | None
    """When the next version took its place."""
    deleted: bool
    """With this version the value was deleted."""
    actor: str

    @classmethod
    def of(cls, standing: Standing) -> "VersionView":
        return cls(
            field=str(standing.name),
            version=standing.version,
            at=standing.at,
            until=standing.until,
            deleted=standing.deleted,
            actor=standing.actor,
        )


class ValuesView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept about a person, masked."""

    subject: str
    values: list[MaskedView]
    versions: list[VersionView] | None = None
    """The latest of each value first; only where it was asked for."""


class FieldPut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field as you keep it."""

    type: FieldType
    sensitivity: Sensitivity
    purposes: Annotated[tuple[FieldPurpose, ...], Meta(max_length=100)]
    """For which it may be read in plain."""
    masking: Masking = Masking.HIDDEN
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    """So long a version can be opened after it was replaced or deleted; left out: as long as the person is kept."""
    indexed: bool = False
    """Whether people can be found by it: for `email`, `phone` and `identifier`."""

    def to_field(self, name: str) -> Field:
        return Field(
            name=name,
            type=self.type,
            sensitivity=self.sensitivity,
            purposes=tuple(sorted(set(self.purposes))),
            masking=self.masking,
            retention_days=self.retention_days,
            indexed=self.indexed,
        )


class FieldView(Struct, frozen=True, kw_only=True):
    name: str
    type: FieldType
    sensitivity: Sensitivity
    purposes: list[str]
    masking: Masking
    retention_days: int | None
    indexed: bool
    built_in: bool
    """Every tenant has it; yours may differ in all but type and index."""

    @classmethod
    def of(cls, field: Field, *, built_in: bool) -> "FieldView":
        return cls(
            name=field.name,
            type=field.type,
            sensitivity=field.sensitivity,
            purposes=sorted(field.purposes),
            masking=field.masking,
            retention_days=field.retention_days,
            indexed=field.indexed,
            built_in=built_in,
        )


class FieldsView(Struct, frozen=True, kw_only=True):
    """The fields that there are, by name."""

    fields: list[FieldView]


class LookupCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to find: people who have this value in this field."""

    field: FieldName
    value: Annotated[str, Meta(min_length=1, max_length=10_000)]


class FoundView(Struct, frozen=True, kw_only=True):
    """Everybody who has the value, by id. Values are not told."""

    subjects: list[str]
