"""How DROP standardises and hashes what identifies somebody (the state's API document 1.2.0).

A hash is SHA-256 over the UTF-8 of the standardised text; the lists have it in base64, here it is the 32 bytes.
A composite is the hash of the base64 hashes of its parts, one after the other. What can't be standardised gives
``None``: nothing of it is on any list.
"""

import hashlib
import re
from base64 import b64encode
from typing import Final

from service.drop.letters import plain

PHONE_DIGITS: Final = 10
ZIP_CHARACTERS: Final = 5
MAID_DIGITS: Final = 32
VIN_CHARACTERS: Final = 17
CTVID_CHARACTERS: Final = range(8, 33)

_NO_DIGIT: Final = re.compile(r"[^0-9]")
_NO_HEX: Final = re.compile(r"[^0-9a-fA-F]")
_NO_ALNUM: Final = re.compile(r"[^0-9A-Za-z]")
_PLUS_FOUR: Final = re.compile(r"\s*([0-9]{5})[\s-]*[0-9]{4}\s*")
_DATE: Final = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")


def email(value: str) -> str | None:
    """Return an address without blanks and in lower case; dots and what follows a plus sign stay."""
    return "".join(value.split()).lower() or None


def phone(value: str) -> str | None:
    """Return the last ten digits, or all where there are fewer."""
    return _NO_DIGIT.sub("", value)[-PHONE_DIGITS:] or None


def birth_date(value: str) -> str | None:
    """Return a date as YYYYMMDD; it comes as that or as YYYY-MM-DD."""
    return value.replace("-", "") if _DATE.fullmatch(value) else None


def zip_code(value: str) -> str | None:
    """Return the first five characters, without the +4 of a long code and without the zeros in front."""
    long = _PLUS_FOUR.fullmatch(value)
    kept = long[1] if long else _NO_ALNUM.sub("", value)
    return kept.lower().lstrip("0")[:ZIP_CHARACTERS] or None


def name(value: str) -> str | None:
    """Return a first or a last name in letters and digits alone."""
    return plain(value) or None


def maid(value: str) -> str | None:
    """Return the id of a mobile device: 32 hexadecimal digits."""
    kept = _NO_HEX.sub("", value).lower()
    return kept if len(kept) == MAID_DIGITS else None


def vin(value: str) -> str | None:
    """Return the number of a vehicle: 17 characters."""
    kept = _NO_ALNUM.sub("", value).lower()
    return kept if len(kept) == VIN_CHARACTERS else None


def ctvid(value: str) -> str | None:
    """Return the id of a television or what is plugged into one: 8 to 32 characters."""
    kept = _NO_ALNUM.sub("", value).lower()
    return kept if len(kept) in CTVID_CHARACTERS else None


def hashed(standardised: str) -> bytes:
    return hashlib.sha256(standardised.encode()).digest()


def composite(*standardised: str) -> bytes:
    """Return the hash of several fields, in the order of their list: NDZ and NameVIN have one."""
    return hashlib.sha256(b"".join(b64encode(hashed(each)) for each in standardised)).digest()
