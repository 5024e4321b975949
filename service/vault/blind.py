"""Keyed hashes of values: those people are found by, and those that must not come back unasked.

Equal values have equal hashes, and nothing else follows from one without its key (docs/adr/0010-blind-indexes.md).
HMAC-SHA-256 over `volens.index`, the field and the form; of suppression over `volens.suppression`, the type and the
form; of the lines of an import, under the key of suppression, over `volens.import`, its id and their SHA-256; of a
record without an id, under that key, over `volens.record` and what it says; of a
code that shows who somebody is, under that key as well, over `volens.code`, the id of what it was sent for, and the
code; of what lists of opted-out people have, under that key too, over `volens.drop`, the list and the hash there. Each
piece but the last ends with a zero byte, which no field or type has in it.
"""

import hmac
from typing import Final
from uuid import UUID

from service.vault.domain import HashKey
from service.vault.fields import FieldType
from service.vault.values import Digest, Mark

_INDEX: Final = b"volens.index"
_CODE: Final = b"volens.code"
_DROP: Final = b"volens.drop"
_IMPORT: Final = b"volens.import"
_RECORD: Final = b"volens.record"
_SUPPRESSION: Final = b"volens.suppression"


def form(kind: FieldType, value: str) -> bytes:
    """Return what two values have in common that count as the same: case and blanks don't tell them apart."""
    return (value if kind is FieldType.PHONE else "".join(value.split()).casefold()).encode()


def index_digest(key: HashKey, field: str, matched: bytes) -> Digest:
    return Digest(field=field, version=key.version, digest=_digest(key, _INDEX, field.encode(), matched))


def suppression_mark(key: HashKey, kind: FieldType, matched: bytes) -> Mark:
    """Return the mark of an address in whatever field of its type it turns up."""
    return Mark(kind=kind.value, digest=_digest(key, _SUPPRESSION, kind.value.encode(), matched))


def lines_mark(key: HashKey, import_id: UUID, lines: bytes) -> bytes:
    """Return what the lines of an import are known by: their own hash would be one of values, and guessable."""
    return _digest(key, _IMPORT, import_id.hex.encode(), lines)


def content_id(key: HashKey, content: bytes) -> UUID:
    """Return the id of what came without one: the same for the same content. Made without a key it would tell that.

    A UUID of version 8 (RFC 9562).
    """
    digest = int.from_bytes(_digest(key, _RECORD, content)[:16])
    return UUID(int=digest & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62)


def code_mark(key: HashKey, sent_for: UUID, code: str) -> bytes:
    """Return what a code is known by while it is good: few digits could be guessed from any hash without a key."""
    return _digest(key, _CODE, sent_for.hex.encode(), code.encode())


def drop_mark(key: HashKey, list_name: str, hashed: bytes) -> bytes:
    """Return what a hash on a list of opted-out people is known by: the hash itself has no key, and is guessable."""
    return _digest(key, _DROP, list_name.encode(), hashed)


def _digest(key: HashKey, *pieces: bytes) -> bytes:
    return hmac.digest(key.secret.expose(), b"\0".join(pieces), "sha256")
