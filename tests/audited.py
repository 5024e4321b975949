"""A small log with everything that it hands out, for the tests that tamper with it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit import AuditEvent, Entry, canonical
from service.audit.evidence import SelectionLines, consistency_text, export_header, export_line, proof_text, receipt
from service.audit.findings import Kind, Report, Wrong
from service.audit.notes import COSIGNER, LOG, Key
from service.audit.signing import Signer, checkpoint_text, signed, verifier_key
from service.audit.tiles import Edge, ReadTile, hashes_of, spans_of_consistency, spans_of_inclusion, tiles_for
from service.audit.tree import leaf_hash, path_to
from service.audit.verifier import Verifier
from service.kernel import Handle, TenantId

ORIGIN = "volens.example/acme"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_signer(name: str = ORIGIN, kind: int = LOG, seed: int = 1) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Signer(key=Key(name, kind, private.public_key().public_bytes_raw()), sign=private.sign)


LOG_KEY = a_signer()
RECEIPT_KEY = a_signer(f"{ORIGIN}/receipts", seed=2)
WITNESS = a_signer("witness.example/w", COSIGNER, seed=3)
KEYS = {(signer.key.name, signer.key.id): signer.key for signer in (LOG_KEY, RECEIPT_KEY, WITNESS)}
KEY_LINES = "".join(f"{verifier_key(key)}\n" for key in KEYS.values())


def an_entry(number: int, **changes) -> bytes:
    entry = Entry(
        tenant=TenantId("acme"),
        id=UUID(int=number),
        at=NOON + timedelta(seconds=number),
        event=AuditEvent.RECORD_STORED,
        object_id=f"r-{number}",
        subject=Handle(UUID(int=7)),
        actor="shop",
        request=f"req-{number}",
        commitment=bytes([number % 256]) * 32,
    )
    return canonical(msgspec.structs.replace(entry, **changes))


class Log:
    """Entries, their tree in memory, and its key."""

    def __init__(self, entries: Sequence[bytes], signer: Signer = LOG_KEY) -> None:
        self.entries = list(entries)
        self.signer = signer
        self.growth = Edge().grow(map(leaf_hash, entries))
        self.tiles = {tile.path: held for tile, held in self.growth.tiles.items()}

    @property
    def read(self) -> ReadTile:
        longest = {(tile.level, tile.number): held for tile, held in self.growth.tiles.items()}
        return lambda tile: longest[tile.level, tile.number][: tile.width * 32]

    def checkpoint(self, size: int | None = None) -> str:
        size = len(self.entries) if size is None else size
        root = Edge.read(size, self.read).root
        return signed(checkpoint_text(self.signer.key.name, size, root), [self.signer])

    def export(self, first: int = 0, after: int | None = None, checkpoint: str | None = None) -> bytes:
        after = len(self.entries) if after is None else after
        header = export_header(first, after, checkpoint or self.checkpoint(), self.read)
        lines = (export_line(index, self.entries[index]) for index in range(first, after))
        return b"".join(line + b"\n" for line in (header, *lines))


def a_log(size: int = 700) -> Log:
    return Log([an_entry(number) for number in range(size)])


def selected(indexes: Sequence[int], log: Log) -> bytes:
    lines = SelectionLines(log.checkpoint())
    wanted = tiles_for(lines.spans(indexes, last=True), lines.size)
    held = {tile: log.read(tile) for tile in wanted}
    written = [lines.header({"events": ["record.stored"]})]
    written += [lines.line(index, log.entries[index], held.__getitem__) for index in indexes]
    return b"".join(line + b"\n" for line in (*written, lines.end(held.__getitem__)))


def a_proof(index: int, size: int, log: Log) -> str:
    hashes = hashes_of(spans_of_inclusion(index, size), size, log.read)
    return proof_text(index, hashes, log.checkpoint(size), log.entries[index])


def a_consistency(old: int, new: int, log: Log) -> str:
    hashes = hashes_of(spans_of_consistency(old, new), new, log.read)
    return consistency_text(log.checkpoint(old), log.checkpoint(new), hashes)


def a_receipt(entry: bytes, signer: Signer = RECEIPT_KEY, **changes) -> str:
    claims = {"jti": json.loads(entry)["object"], "leaf": leaf_hash(entry).hex(), "action": "opt_in"}
    return receipt(claims | changes, signer)


def a_place(commitments: Sequence[bytes], index: int, salt: bytes, payload: bytes) -> dict[str, object]:
    """Return what proves one payload of many, as the page says it, but for what is special to an event."""
    return {
        "index": index,
        "size": len(commitments),
        "path": [node.hex() for node in path_to([leaf_hash(each) for each in commitments], index)],
        "salt": salt.hex(),
        "payload": payload.decode(),
    }


def a_manifest(members: Mapping[str, bytes], signer: Signer = LOG_KEY, origin: str = ORIGIN) -> bytes:
    lines = [f"{hashlib.sha256(content).hexdigest()} {len(content)} {name}\n" for name, content in members.items()]
    return signed(f"volens-audit-pack/v1\n{origin}\n{''.join(lines)}", [signer]).encode()


def judged(export: bytes, *known: str, whole: bool = False) -> Report:
    verifier = Verifier(KEYS, whole=whole)
    for note in known:
        verifier.known(note, "known")
    verifier.export(BytesIO(export), "export")
    return verifier.report


@contextmanager
def refused(kind: Kind, words: str | None = None) -> Iterator[None]:
    """Expect that the block finds this and nothing else."""
    with pytest.raises(Wrong, match=words) as wrong:
        yield
    assert wrong.value.kind is kind


def kinds(report: Report) -> list[Kind]:
    return sorted({finding.kind for finding in report.findings})


def found(report: Report) -> set[tuple[Kind, str]]:
    """Return kinds and places, without the name of the file."""
    return {(finding.kind, finding.place.partition(", ")[2]) for finding in report.findings}
