"""Open values: those that are asked for, and no others. What may be read by whom is not settled here."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from service.kernel import Caller, Clock, Handle, TenantId
from service.vault.domain import Unreadable
from service.vault.fields import Field, Name, mask
from service.vault.ports import KeyAccess, Unseal
from service.vault.value_ports import BeginOpening
from service.vault.values import Opened, Opening, Sealed


class FieldsOf:
    """Return the fields of a tenant by name: the built-in ones and its own."""

    def __init__(self, begin: BeginOpening) -> None:
        self._begin = begin

    async def __call__(self, tenant: TenantId) -> Mapping[str, Field]:
        async with self._begin(tenant) as tx:
            return await tx.values.fields()


class OpenValues:
    """Decrypt what is wanted of each person, in one transaction."""

    def __init__(self, begin: BeginOpening, keys: KeyAccess, unseal: Unseal, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._unseal = unseal
        self._clock = clock

    async def __call__(
        self,
        tenant: TenantId,
        wanted: Mapping[Handle, Collection[str]],
        *,
        version: int | None = None,
        fields: Mapping[str, Field] | None = None,
    ) -> Opening:
        """Return the latest values by the names in `wanted`; with `version`, that one, which may have been replaced.

        A replaced or deleted version whose retention has ended is missing like one that never was.
        Hand in `fields` if you have read them already.

        Raises:
            RingUnavailable
            Unreadable: one of the values does not open, so none is returned.
        """
        tenant_key = await self._keys.tenant_key(tenant)
        names = {handle: {Name.of(name) for name in each} for handle, each in wanted.items()}
        async with self._begin(tenant) as tx:
            # The keys are read after the values: whoever was erased in between is, and none of their values opens.
            sealed, subjects, known = await tx.together(
                tx.values.find(names, version=version),
                self._keys.subject_keys(tx.keys, tenant_key, list(wanted)),
                tx.values.fields(),
            )
        fields = known if fields is None else fields
        now = self._clock()
        values: dict[Handle, dict[str, Opened]] = {handle: {} for handle in wanted}
        for each in sealed:
            field = fields.get(each.name.field)
            if each.handle in subjects.erased or field is None or _over(each, field, now):
                continue
            key = subjects.keys.get(each.handle)
            if key is None:
                raise Unreadable("the value does not open")
            value = msgspec.msgpack.decode(self._unseal(key, each.slot(tenant), each.sealed))
            values[each.handle][str(each.name)] = Opened(
                name=str(each.name), version=each.version, value=value, masked=mask(field, value), at=each.at
            )
        return Opening(values=values, erased=subjects.erased, fields=fields)


class Wanted(Struct, frozen=True, kw_only=True, eq=False):
    """What somebody wants to open of one person."""

    handle: Handle
    names: Collection[str]
    by: Caller


class OpenTogether:
    """Open what several want at the same moment in one transaction. Each gets what they asked for, and no more."""

    def __init__(self, open_values: OpenValues) -> None:
        self._open_values = open_values

    async def __call__(self, tenant: TenantId, group: Sequence[Wanted]) -> Sequence[Opening]:
        """Raises: as `OpenValues` does, for the whole group."""
        wanted: dict[Handle, set[str]] = {}
        for each in group:
            wanted.setdefault(each.handle, set()).update(each.names)
        opening = await self._open_values(tenant, wanted)
        return [_share(opening, each) for each in group]


def _share(opening: Opening, wanted: Wanted) -> Opening:
    """Return of an opening what one of those who share it has asked for."""
    opened = opening.values[wanted.handle]
    return Opening(
        values={wanted.handle: {name: opened[name] for name in wanted.names if name in opened}},
        erased=opening.erased & {wanted.handle},
        fields=opening.fields,
    )


def _over(sealed: Sealed, field: Field, now: datetime) -> bool:
    """Return whether the version was replaced or deleted so long ago that nobody may open it any more."""
    if sealed.until is None or field.retention_days is None:
        return False
    return sealed.until + timedelta(days=field.retention_days) <= now
