"""Compare what somebody says of a person with what is kept of them. Nothing of either is told, but whether it is so."""

from collections.abc import Mapping
from typing import Any

from service.kernel import Handle, TenantId
from service.vault.blind import form, index_digest
from service.vault.fields import Field, FieldType
from service.vault.opening import OpenValues
from service.vault.ports import KeyAccess
from service.vault.usecases import Fields
from service.vault.value_ports import BeginValues, Normalise
from service.vault.values import ValueRefused


class MatchValues:
    """Say whether everything that is said of a person is so."""

    def __init__(
        self, begin: BeginValues, keys: KeyAccess, fields: Fields, normalise: Normalise, open_values: OpenValues
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._fields = fields
        self._normalise = normalise
        self._open_values = open_values

    async def __call__(self, tenant: TenantId, handle: Handle, said: Mapping[str, Any]) -> bool:
        """Return whether each of `said`, by field, is a value of the person.

        Fields with an index are compared through it, whatever the label; of others the value without a label is
        opened. What no field could hold, and a document, is no value of anybody.

        Raises:
            FieldUnknown, RingUnavailable, Unreadable
        """
        fields = [await self._fields.of(tenant, name) for name in sorted(said)]
        opening = await self._open_values(tenant, {handle: [each.name for each in fields if not each.indexed]})
        found = True
        for field in fields:
            value = self._normal(field, said[field.name])
            if value is None:
                found = False
            elif field.indexed:
                found &= await self._indexed(tenant, handle, field, value)
            else:
                kept = opening.values[handle].get(field.name)
                found &= kept is not None and _alike(field, kept.value, value)
        return found

    def _normal(self, field: Field, value: Any) -> Any:
        try:
            return None if field.type is FieldType.DOCUMENT else self._normalise(field.type, value)
        except ValueRefused:
            return None

    async def _indexed(self, tenant: TenantId, handle: Handle, field: Field, value: str) -> bool:
        keys = await self._keys.index_keys(tenant, field.name)
        digests = {index_digest(key, field.name, form(field.type, value)) for key in keys}
        async with self._begin(tenant) as tx:
            held = await tx.values.holders(digests)
        return any(handle in holders for holders in held.values())


def _alike(field: Field, kept: Any, said: Any) -> bool:
    """Return whether two normalised values say the same. Case and blanks of a text don't tell them apart."""
    if field.type is FieldType.ADDRESS:
        return {name: _folded(part) for name, part in kept.items()} == {
            name: _folded(part) for name, part in said.items()
        }
    return form(field.type, kept) == form(field.type, said)


def _folded(part: Any) -> Any:
    if isinstance(part, str):
        return form(FieldType.TEXT, part)
    return None if part is None else [_folded(each) for each in part]
