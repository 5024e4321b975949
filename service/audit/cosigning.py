"""Witnesses see the checkpoints of a log and cosign them: c2sp.org/tlog-witness, add-checkpoint."""

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from service.audit.attesting_ports import Answer, Logs, Post, Refused, SignedLog, Silent
from service.audit.findings import Wrong
from service.audit.notes import LATEST, Checkpoint, Key, Note
from service.audit.quorum import Witness
from service.audit.signing import signature_line
from service.audit.tiles import hashes_of, spans_of_consistency, tiles_for
from service.kernel import Clock, TenantId

ATTEMPTS: Final = 3
"""How often a checkpoint is offered in a row to a witness that knows of another size."""
SKEW: Final = timedelta(minutes=5)
"""How far a witness's clock may be from ours. Its time would stand in evidence for ever."""
OK: Final = 200
CONFLICT: Final = 409
"""The witness knows the log by another size, which it says."""
_NO: Final = {
    403: ("it doesn't know the key by which this log signs", False),
    404: ("it doesn't know this log", False),
    422: ("what the log has doesn't go on from the tree that it saw", True),
}
"""Why a witness says no, and whether because it saw another tree."""
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


class AskWitness:
    """Have one witness cosign what a log signed last."""

    def __init__(self, witness: Witness, logs: Logs, post: Post, clock: Clock) -> None:
        self._witness = witness
        self._logs = logs
        self._post = post
        self._clock = clock
        self._url = f"{witness.url}/add-checkpoint"

    async def __call__(self, tenant: TenantId, seen: int) -> int:
        """Return the size that it cosigned. `seen` is the size of the tree that it saw last, as far as we know.

        Raises:
            Refused: it doesn't cosign for this log.
            Silent, Unavailable
        """
        log = self._logs.of(tenant)
        for _ in range(ATTEMPTS):
            note = await log.newest()
            if note is None:
                return 0
            checkpoint = Checkpoint.parse(note)
            if seen > checkpoint.size:
                raise Refused(
                    f"it saw a tree of {seen} entries, and the log has one of {checkpoint.size}: the log was set back, "
                    "or somebody else signs in its name",
                    fork=True,
                )
            answer = await self._post(self._url, "text/plain", await _offer(log, seen, checkpoint, note))
            if answer.status != CONFLICT:
                line, at = self._cosignature(_accepted(answer), checkpoint.note)
                await log.cosigned(checkpoint.size, name_of(self._witness.key), line, at)
                return checkpoint.size
            said = _SIZE.fullmatch(answer.body)
            if said is None:
                raise Silent("a conflict without a size")
            if int(said[1]) == seen:
                raise Refused(f"it saw another tree of {seen} entries than the log has", fork=True)
            seen = int(said[1])
        raise Silent("it is ahead of us each time")

    def _cosignature(self, lines: str, signed: Note) -> tuple[str, datetime]:
        """Return the line of the witness's key and when it was made. What others signed is not what was asked for."""
        key = self._witness.key
        try:
            added = Note.parse(f"{signed.text}\n{lines}").signatures
            ours = [(name, key_id, content) for name, key_id, content in added if (name, key_id) == (key.name, key.id)]
            [(_, at)] = Note(signed.text, tuple(ours[:1])).verify({(key.name, key.id): key})
        except Wrong as wrong:
            raise Refused(f"its answer holds no signature by its key: {wrong}") from None
        seconds = at or 0
        if abs(self._clock() - datetime.fromtimestamp(min(seconds, LATEST), UTC)) > SKEW:
            raise Refused("its clock is more than five minutes from ours")
        return signature_line(key, ours[0][2][8:], seconds), datetime.fromtimestamp(seconds, UTC)


async def _offer(log: SignedLog, seen: int, checkpoint: Checkpoint, note: str) -> bytes:
    """Return the request: what it saw, the proof that what is signed now begins so, and the checkpoint."""
    proof: Sequence[bytes] = []
    if 0 < seen < checkpoint.size:
        spans = spans_of_consistency(seen, checkpoint.size)
        held = await log.tiles(sorted(tiles_for(spans, checkpoint.size)))
        try:
            proof = hashes_of(spans, checkpoint.size, held.__getitem__)
        except KeyError:
            raise Refused("the database lacks part of the tree that it saw") from None
    lines = "".join(f"{base64.b64encode(node).decode()}\n" for node in proof)
    return f"old {seen}\n{lines}\n{note}".encode()


def _accepted(answer: Answer) -> str:
    """Return the lines of an answer that has some."""
    answer.refuse_silence()
    if answer.status != OK:
        why, fork = _NO.get(answer.status, (f"it answered {answer.status}", False))
        raise Refused(why, fork=fork)
    return answer.body.decode("utf-8", "replace")


def name_of(key: Key) -> str:
    """Return name+id, by which a witness's cosignatures are kept."""
    return f"{key.name}+{key.id.hex()}"
