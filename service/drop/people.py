"""What the lists could have of somebody: every hash that their values make."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

from msgspec import Struct

from service.drop.domain import List
from service.drop.standard import birth_date, composite, ctvid, email, hashed, maid, phone, vin, zip_code
from service.drop.standard import name as plain_name
from service.vault import Field

MOST: Final = 256
"""So many hashes of a composite are made of one person: several names, dates and addresses multiply."""
FIELDS: Final = frozenset(
    {"name", "first_name", "last_name", "birth_date", "postal_address", "zip", "device_id", "maid", "ctv_id", "vin"}
)
"""The fields that are asked by their name; those of an address or a number by their type, whatever they are called."""
_BY_TYPE: Final = {"email": (List.EMAIL, email), "phone": (List.PHONE, phone)}
_BY_NAME: Final = {
    "device_id": ((List.MAID, maid), (List.CTVID, ctvid)),
    "maid": ((List.MAID, maid),),
    "ctv_id": ((List.CTVID, ctvid),),
}


class Value(Struct, frozen=True, kw_only=True):
    """A value of somebody, as the vault keeps it."""

    field: str
    type: str
    value: Any


def asked(field: Field) -> bool:
    """Return whether the lists could have anything of a field."""
    return field.type.value in _BY_TYPE or (field.name in FIELDS and field.type.value != "document")


def hashes(values: Iterable[Value]) -> set[tuple[List, bytes]]:
    """Return every hash, with its list, by which somebody who has `values` would be found."""
    kept: dict[str, list[Any]] = {}
    found = set[tuple[List, bytes]]()
    for each in values:
        kept.setdefault(each.field, []).append(each.value)
        if each.type in _BY_TYPE:
            list_, standardise = _BY_TYPE[each.type]
            found |= _single(list_, standardise(each.value))
        else:
            for list_, standardise in _BY_NAME.get(each.field, ()):
                found |= _single(list_, standardise(each.value))
    names = _names(kept)
    dates = _all(birth_date(value) for value in kept.get("birth_date", ()))
    zips = _all(zip_code(value) for value in _postcodes(kept))
    vins = _all(vin(value) for value in kept.get("vin", ()))
    for (first, last), day, place in islice(product(names, dates, zips), MOST):
        found.add((List.NDZ, composite(first, last, day, place)))
    for (first, last), number in islice(product(names, vins), MOST):
        found.add((List.NAME_VIN, composite(first, last, number)))
    return found


def _single(list_: List, standardised: str | None) -> set[tuple[List, bytes]]:
    return set() if standardised is None else {(list_, hashed(standardised))}


def _names(kept: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Return first and last names. A whole name is parted at every blank: nobody knows where the last name begins."""
    pairs = list(product(kept.get("first_name", ()), kept.get("last_name", ())))
    for whole in kept.get("name", ()):
        words = whole.split()
        pairs += [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
        if len(words) > 2:  # they may have left the middle name out
            pairs.append((words[0], words[-1]))
    plain = ((plain_name(first), plain_name(last)) for first, last in pairs)
    return list({(first, last): None for first, last in plain if first and last})


def _postcodes(kept: Mapping[str, Sequence[Any]]) -> list[str]:
    of_addresses = [address.get("postcode") for address in kept.get("postal_address", ())]
    return [code for code in (*kept.get("zip", ()), *of_addresses) if code]


def _all(values: Iterable[str | None]) -> list[str]:
    return list({value: None for value in values if value is not None})
