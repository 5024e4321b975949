"""Records that come in bulk: what a file states, what becomes of each of its lines, and what the log commits to.

Records that are stored together are the leaves of a tree (RFC 9162, section 2.1), in the order of their ids. One audit
entry commits to its root. A leaf is the leaf hash of the commitment to a record, under the secret of its person and
the id of the record: so one record can be proved without showing the others, and when a person is erased, theirs can't
be opened or guessed any more while those of the others hold.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, field

from service.audit import Opened, Secret, leaf_hash, path_to, tree_hash
from service.consent.committed import payload_of
from service.consent.domain import Statement, StoredRecord
from service.kernel import DomainError, Handle, Instant, SubjectId
from service.subjects import SubjectFacts

METHOD: Final = "crm_import"
"""Of what a file says without a word on how it came about."""
NOTHING: Final = leaf_hash(b"")
"""The leaf of a record of somebody who has no secret: who was erased."""
_HASH: Final = 32
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Claim(Struct, frozen=True, kw_only=True):
    """A record as a file states it."""

    id: UUID | None
    """None where the file has none: then it follows from the content."""
    subject: SubjectId | None
    find: tuple[str, Any] | None = None
    """A field of the vault and a value, for whoever is known by that alone. Never kept."""
    statement: Statement
    dated: bool = True
    """Whether the file says when it happened. If not, that is when it arrives."""

    def __repr__(self) -> str:
        return "Claim(hidden)"

    def content(self, subject: SubjectId) -> bytes:
        """Return what the same claim about the same person always is."""
        said: dict[str, Any] = msgspec.to_builtins(self.statement)
        if not self.dated:
            del said["ts"]
        return _encode([subject, said])


class Understood(Struct, frozen=True, kw_only=True):
    """What a line says: nothing, records, or what is known about somebody."""

    claims: Sequence[Claim] = ()
    facts: tuple[SubjectId, SubjectFacts] | None = None


class AddressUnknown(DomainError):
    """Nobody has this address. Write it into the vault first, or map a column that holds your own id."""

    code = "address_unknown"


class AddressShared(DomainError):
    """Several people have this address, and the file doesn't say whose the record is."""

    code = "address_shared"


class RefusalStands(DomainError):
    """Somebody had refused before the import began. A file brings nobody back; their own act does."""

    code = "refusal_stands"


class AddressInRecord(DomainError):
    """A text that would be kept with a record holds an e-mail address. Those belong into the vault."""

    code = "address_in_record"


class LineOutcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a line."""

    line: int
    """Counted from 1, blank ones too."""
    outcome: str
    """`stored`, `known`, `refused`, `nothing` or `blank`."""
    records: int | None = None
    """How many were new, where something was stored."""
    code: str | None = None
    """What stands against the line, or, where it was stored or known, against the rest of it."""
    detail: str | None = None


class ImportSummary(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="done"):
    """The last line: the import has come to its end. What an earlier attempt had dealt with isn't counted again."""

    import_: UUID = field(name="import")
    dry_run: bool
    """Then nothing was stored."""
    lines: int
    skipped: int
    """Lines that an earlier attempt had dealt with."""
    stored: int
    """Lines of which something was new."""
    known: int
    refused: int
    nothing: int
    """Lines that say nothing to record."""
    records: int
    """New ones."""
    shut: int
    """Lines of which something was left out, since a refusal from before the import stands."""


class Chunk(Struct, frozen=True, kw_only=True):
    """Records that were imported together."""

    id: UUID
    import_id: UUID
    at: Instant
    """When all of them arrived."""
    records: Sequence[UUID]
    leaves: bytes
    """32 bytes for each record."""

    @classmethod
    def of(
        cls,
        chunk_id: UUID,
        import_id: UUID,
        at: Instant,
        records: Sequence[StoredRecord],
        secrets: Mapping[Handle, Secret],
    ) -> "Chunk":
        ordered = sorted(records, key=lambda record: record.id)
        return cls(
            id=chunk_id,
            import_id=import_id,
            at=at,
            records=[record.id for record in ordered],
            leaves=b"".join(leaf_of(record, secrets.get(record.handle)) for record in ordered),
        )

    @property
    def root(self) -> bytes:
        return tree_hash(self.hashes())

    def root_with(self, leaves: Mapping[UUID, bytes]) -> bytes:
        """Return the root if some of the leaves are others."""
        return tree_hash([leaves.get(record, leaf) for record, leaf in zip(self.records, self.hashes(), strict=True)])

    def hashes(self) -> list[bytes]:
        return [self.leaves[start : start + _HASH] for start in range(0, len(self.leaves), _HASH)]

    def path(self, record: UUID) -> tuple[int, list[bytes]]:
        """Return the place of a record, and the hashes that lead from its leaf to the root."""
        index = self.records.index(record)
        return index, path_to(self.hashes(), index)


def opened(record: StoredRecord, secret: Secret) -> Opened:
    """Return the record as its leaf commits to it. The salt is that of no entry, and of no other record."""
    salted_by = UUID(bytes=hashlib.sha256(b"volens.record\0" + record.id.bytes).digest()[:16])
    return payload_of(record).opened(secret, salted_by)


def leaf_of(record: StoredRecord, secret: Secret | None) -> bytes:
    return NOTHING if secret is None else leaf_hash(opened(record, secret).commitment)


def as_claimed(said: Statement) -> Statement:
    """Return a statement of a file, which proves nothing by being one: what it doesn't say, it has not."""
    unproved = said.evidence is UNSET
    if not unproved and said.method is not None:
        return said
    return msgspec.structs.replace(said, method=said.method or METHOD, evidence=None if unproved else said.evidence)
