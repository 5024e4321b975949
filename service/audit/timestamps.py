"""Time-stamps of checkpoints: that a time-stamp authority (RFC 3161) saw what the log had signed.

    {"format": "volens-timestamp/v1", "checkpoint": checkpoint, "token": base64}

The token is a DER TimeStampResp over the SHA-256 of the checkpoint as the log signed it: its text, an empty line, and
the lines of the log's own keys. Those of witnesses come later and are left out. Because the log's signature is in it,
what was signed before a key was stolen can be told from what the thief signs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Final

from service.audit.notes import Checkpoint, decoded
from service.audit.ranges import document

TIMESTAMP: Final = "volens-timestamp/v1"

Judge = Callable[[bytes, bytes], datetime]
"""Takes a token and what it must be over; says when that was. Raises `Wrong`: the token does not hold."""


def stamped(checkpoint: Checkpoint) -> bytes:
    """Return what a time-stamp is over."""
    lines = (
        f"— {name} {base64.b64encode(key_id + signature).decode()}\n"
        for name, key_id, signature in checkpoint.note.signatures
        if name == checkpoint.origin
    )
    return f"{checkpoint.note.text}\n{''.join(lines)}".encode()


def timestamp_in(text: str) -> tuple[str, bytes]:
    """Return the checkpoint's note and the token of a time-stamp as it is handed out. Raises `Wrong`: it is none."""
    read = document(text, TIMESTAMP, {"checkpoint": str, "token": str})
    return read["checkpoint"], decoded(read["token"])
