from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.audit import AuditEvent
from service.events import Event
from service.kernel import Caller, Clock, SubjectId, TenantId, Unavailable
from service.vault.domain import SubjectErased, Unreadable
from service.vault.fields import Field, FieldRedefined, FieldUnknown, Name, mask
from service.vault.ports import KeyAccess, Unseal
from service.vault.value_ports import BeginOpening, BeginValues, Normalise, Pace, Writer
from service.vault.values import Standing, ValueUnknown, Write, Written


class Fields:
    """The fields of tenants, for the parts that never change: a field keeps its type and its index for ever.

    Masking, purposes and retention are those of when it was first read here: whoever needs them reads them anew.
    """

    def __init__(self, begin: BeginOpening) -> None:
        self._begin = begin
        self._known: dict[TenantId, Mapping[str, Field]] = {}

    async def of(self, tenant: TenantId, name: str) -> Field:
        """Return a field as it was when it was last read here.

        Raises:
            FieldUnknown
        """
        field = self._known.get(tenant, {}).get(name)
        if field is None:
            async with self._begin(tenant) as tx:
                self._known[tenant] = await tx.values.fields()
            field = self._known[tenant].get(name)
        if field is None:
            raise FieldUnknown("there is no such field")
        return field


class PutField:
    """Add a field, or change who may read it, how it is masked and how long it is kept."""

    def __init__(self, begin: BeginValues, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, field: Field, *, by: Caller) -> bool:
        """Return whether it is new. The same again changes nothing.

        Raises:
            FieldUnusable, FieldRedefined: nothing was stored.
        """
        field.check()
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            before = (await tx.values.fields()).get(field.name)
            if before == field:
                return False
            if before is not None and (before.type, before.indexed) != (field.type, field.indexed):
                raise FieldRedefined("a field keeps its type and its index", pointers=["/type", "/indexed"])
            if not await tx.values.add_field(field, now, by.actor):
                raise FieldRedefined("somebody else stored this field at the same moment")
            await tx.audit.append(event=AuditEvent.VAULT_FIELD_STORED, object_id=field.name, by=by)
            await tx.outbox.add([Event(type=AuditEvent.VAULT_FIELD_STORED.value, object_id=field.name, at=now)])
        return before is None


LOOKUP: Final = "vault:lookup"
"""The scope of those who may find out whom a value belongs to."""


class PutValue:
    """Store a value as its newest version."""

    def __init__(self, fields: Fields, normalise: Normalise, write: Writer, pace: Pace) -> None:
        self._fields = fields
        self._normalise = normalise
        self._write = write
        self._pace = pace

    async def __call__(
        self,
        subject: SubjectId,
        name: str,
        value: Any,
        *,
        by: Caller,
        expected: frozenset[int] | None = None,
        reenrol: bool = False,
    ) -> Written:
        """Return the version that it became. `expected` are those it may replace; empty: any.

        How many others have the same value is told to those who may look up, as often as they may: it is a lookup.

        Raises:
            FieldUnknown, ValueRefused, ValueMoved, SubjectErased, RingUnavailable,
            Suppressed: and `reenrol` didn't say that the person asked for it themselves.
        """
        place = Name.of(name)
        field = await self._fields.of(by.tenant, place.field)
        normal = self._normalise(field.type, value)
        written = await self._write(
            Write(subject=subject, name=place, field=field, value=normal, by=by, expected=expected, reenrol=reenrol)
        )
        if written.shared_with is None or (LOOKUP in by.scopes and not await self._pace(by)):
            return written
        return msgspec.structs.replace(written, shared_with=None)


class DeleteValue:
    """Take a value out of use. Its versions stay readable for officers until the retention ends."""

    def __init__(self, fields: Fields, write: Writer) -> None:
        self._fields = fields
        self._write = write

    async def __call__(
        self, subject: SubjectId, name: str, *, by: Caller, expected: frozenset[int] | None = None
    ) -> None:
        """Raises: FieldUnknown, ValueUnknown, ValueMoved, SubjectErased."""
        place = Name.of(name)
        field = await self._fields.of(by.tenant, place.field)
        await self._write(Write(subject=subject, name=place, field=field, value=None, by=by, expected=expected))


class Masked(Struct, frozen=True, kw_only=True):
    """A value as those see it who may not read it."""

    name: str
    version: int
    masked: str
    at: Any


class Kept(Struct, frozen=True, kw_only=True):
    """What the vault has of a person."""

    values: Sequence[Masked]
    versions: Sequence[Standing] | None


class ReadValues:
    """Show what the vault has of a person: names, versions and masked forms."""

    def __init__(self, begin: BeginValues, keys: KeyAccess, unseal: Unseal) -> None:
        self._begin = begin
        self._keys = keys
        self._unseal = unseal

    async def __call__(self, subject: SubjectId, *, versions: bool = False, by: Caller) -> Kept:
        """Return the latest version of each value; with `versions`, when each was written and by whom.

        Raises:
            ValueUnknown: there is no such person, or nothing was ever kept of them.
            SubjectErased, RingUnavailable, Unreadable
            Unavailable: they are merged with somebody at this moment. Asking again is safe.
        """
        tenant_key = await self._keys.tenant_key(by.tenant)
        async with self._begin(by.tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
            if handle is None:
                raise ValueUnknown("nothing is kept about this person")
            fields = await tx.values.fields()
            sealed = await tx.values.of(handle)
            every = await tx.values.versions(handle) if versions else None
            keys = await self._keys.subject_keys(tx.keys, tenant_key, [handle])
            if handle in keys.erased and await tx.subjects.handle_of(subject) != handle:
                raise Unavailable("somebody merges them with others at this moment; asking again is safe")
        if handle in keys.erased:
            raise SubjectErased("what was kept about this person is gone for good")
        values = []
        for each in sealed:
            if handle not in keys.keys:
                raise Unreadable("the value does not open")
            plain = msgspec.msgpack.decode(self._unseal(keys.keys[handle], each.slot(by.tenant), each.sealed))
            masked = mask(fields[each.name.field], plain)
            values.append(Masked(name=str(each.name), version=each.version, masked=masked, at=each.at))
        return Kept(values=values, versions=every)
