"""What others said of the log, for packs: the newest cosigned checkpoint and the newest time-stamp, if there are any.

A pack is of the newest tree that was signed, which nobody else may have seen yet. So the one that others saw goes in
beside it, with the proof that one of the two trees goes on from the other.
"""

import base64
from collections.abc import Sequence

import msgspec

from service.audit.evidence import consistency_text
from service.audit.notes import Checkpoint
from service.audit.proving import proof
from service.audit.tiles import spans_of_consistency
from service.audit.timestamps import TIMESTAMP
from service.kernel import TenantId
from service.packing import Pack
from service.transaction import Begin, Transaction

COSIGNED = "cosigned.json", "The newest checkpoint that a witness cosigned, and that it is of the same log."
TIMESTAMPED = (
    "timestamp.json",
    "The newest time-stamp (RFC 3161) of the log: `volens audit verify --tsa-roots` judges it.",
)
STAMPED = "stamped.json", "That what was time-stamped is of the same log."


async def add(pack: Pack, begin: Begin, tenant: TenantId, note: str) -> Sequence[tuple[str, str]]:
    """Add what others said of the log, and return the names of the members and what they are."""
    added: list[tuple[str, str]] = []

    async def grown(tx: Transaction, other: str, member: tuple[str, str]) -> None:
        older, newer = sorted((other, note), key=lambda each: Checkpoint.parse(each).size)
        old, new = Checkpoint.parse(older).size, Checkpoint.parse(newer).size
        hashes = await proof(tx.tree, spans_of_consistency(old, new), new)
        pack.add(member[0], consistency_text(older, newer, hashes).encode())
        added.append(member)

    async with begin(tenant) as tx:
        cosigned, stamped = await tx.tree.checkpoint(None, 1), await tx.tree.timestamp(None)
        if cosigned is not None and cosigned != note:
            await grown(tx, cosigned, COSIGNED)
        if stamped is not None:
            seen, token = stamped
            said = {"format": TIMESTAMP, "checkpoint": seen, "token": base64.b64encode(token).decode()}
            pack.add(TIMESTAMPED[0], msgspec.json.encode(said))
            added.append(TIMESTAMPED)
            if Checkpoint.parse(seen).size != Checkpoint.parse(note).size:
                await grown(tx, seen, STAMPED)
    return added
