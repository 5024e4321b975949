"""What the tree of the audit log takes: growing, proving, verifying, keeping. On one core, without a database.

Time is the processor's, so that what else runs on the machine does not count.
The tree is made of hashes of numbers; the entries that are verified are as long as ours are.
"""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from benchmarks.results import Figure, keep
from service.audit import AuditEvent, Entry, canonical
from service.audit.evidence import export_header, export_line
from service.audit.notes import LOG, Key
from service.audit.signing import Signer, checkpoint_text, signed
from service.audit.tiles import HASH, Edge, ReadTile, Tile, hashes_of, spans_of_consistency, spans_of_inclusion
from service.audit.tree import leaf_hash, verify_inclusion
from service.audit.verifier import Verifier
from service.kernel import Handle, TenantId

LEAVES = int(os.environ.get("BENCH_LEAVES", "10000000"))
ENTRIES = int(os.environ.get("BENCH_ENTRIES", "200000"))
BATCH = 5000
PROOFS = 2000
ORIGIN = "volens.example/acme"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def grown(size: int, leaf: Callable[[int], bytes]) -> tuple[Edge, dict[tuple[int, int], bytes], float]:
    """Return the edge, the tiles and the seconds spent on growing, batch by batch."""
    edge, tiles, spent = Edge(), {}, 0.0
    for first in range(0, size, BATCH):
        leaves = [leaf(number) for number in range(first, min(first + BATCH, size))]
        began = time.process_time()
        growth = edge.grow(leaves)
        _ = growth.edge.root
        spent += time.process_time() - began
        edge = growth.edge
        tiles.update({(tile.level, tile.number): held for tile, held in growth.tiles.items()})
    return edge, tiles, spent


def reader(tiles: dict[tuple[int, int], bytes]) -> ReadTile:
    def read(tile: Tile) -> bytes:
        return tiles[tile.level, tile.number]

    return read


def percentile_99(act: Callable[[int], object], size: int) -> float:
    """Return the time that 99 of 100 random calls stay below, in ms."""
    chance, times = random.Random(7), []
    for _ in range(PROOFS):
        number = chance.randrange(1, size)
        began = time.process_time()
        act(number)
        times.append(time.process_time() - began)
    return sorted(times)[PROOFS * 99 // 100] * 1000


def an_entry(number: int) -> bytes:
    return canonical(
        Entry(
            tenant=TenantId("acme"),
            id=UUID(int=number),
            at=NOON + timedelta(milliseconds=number),
            event=AuditEvent.RECORD_STORED,
            object_id=str(UUID(int=number)),
            subject=Handle(UUID(int=number * 7919)),
            actor="shop-backend",
            request=str(UUID(int=number + 1)),
            commitment=sha256(b"%d" % number).digest(),
        )
    )


def verified() -> tuple[float, int, float]:
    """Return entries verified a second, bytes of an entry, and ms for one signature."""
    entries = [an_entry(number) for number in range(ENTRIES)]
    edge, tiles, _ = grown(ENTRIES, lambda number: leaf_hash(entries[number]))
    private = Ed25519PrivateKey.generate()
    key = Key(ORIGIN, LOG, private.public_key().public_bytes_raw())
    checkpoint = signed(checkpoint_text(ORIGIN, edge.size, edge.root), [Signer(key=key, sign=private.sign)])
    lines = [export_line(index, entry) for index, entry in enumerate(entries)]
    export = b"\n".join([export_header(0, ENTRIES, checkpoint, reader(tiles)), *lines, b""])

    verifier = Verifier({(key.name, key.id): key}, whole=True)
    began = time.process_time()
    verifier.export(BytesIO(export), "export")
    took = time.process_time() - began
    if verifier.report.findings or not verifier.report.proved:
        raise SystemExit(f"the export does not verify: {verifier.report.findings[:3]}")

    began = time.process_time()
    for _ in range(20):
        Verifier({(key.name, key.id): key}).checkpoint(checkpoint, "checkpoint")
    return ENTRIES / took, sum(map(len, entries)) // ENTRIES, (time.process_time() - began) / 20 * 1000


def main() -> None:
    edge, tiles, spent = grown(LEAVES, lambda number: sha256(b"%d" % number).digest())
    read, root = reader(tiles), edge.root
    inclusion = percentile_99(lambda number: hashes_of(spans_of_inclusion(number, LEAVES), LEAVES, read), LEAVES)
    consistency = percentile_99(lambda number: hashes_of(spans_of_consistency(number, LEAVES), LEAVES, read), LEAVES)
    proof = hashes_of(spans_of_inclusion(LEAVES // 3, LEAVES), LEAVES, read)
    verify_inclusion(sha256(b"%d" % (LEAVES // 3)).digest(), LEAVES // 3, LEAVES, proof, root)
    stored = sum(map(len, tiles.values())) / LEAVES
    rate, length, signature = verified()

    table = Table(title=f"the tree of the audit log: {LEAVES:,} leaves, {ENTRIES:,} entries of {length} bytes")
    for column in ("name", "measured", "target", "unit"):
        table.add_column(column, justify="left" if column in {"name", "unit"} else "right", no_wrap=True)
    table.add_row(f"growing by batches of {BATCH:,}", f"{LEAVES / spent:,.0f}", "≥ 5,000", "leaves/s")
    table.add_row("inclusion proof, p99", f"{inclusion:.2f}", "≤ 5", "ms")
    table.add_row("consistency proof, p99", f"{consistency:.2f}", "", "ms")
    table.add_row("verifying an export", f"{rate:,.0f}", "≥ 100,000", "entries/s")
    table.add_row("verifying a checkpoint", f"{signature:.1f}", "", "ms")
    table.add_row("tiles for each entry", f"{stored:.1f}", "", f"bytes, of a hash of {HASH}")
    Console().print(table)
    keep(
        "audit",
        [
            Figure(name=f"growing by batches of {BATCH:,}", figure=LEAVES / spent, unit="leaves/s", least=5000),
            Figure(name="inclusion proof, p99", figure=inclusion, unit="ms", most=5),
            Figure(name="verifying an export", figure=rate, unit="entries/s", least=100_000),
        ],
    )


if __name__ == "__main__":
    main()
