"""Audiences as a stream of Arrow (the IPC streaming format). Needs the extra `arrow`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from service.decisions.narrow import micros

_UTC: Final = pa.timestamp("us", tz="UTC")
SCHEMA: Final = pa.schema(
    {
        "subject": pa.string(),
        "id": pa.string(),
        "at": _UTC,
        "obligations": pa.list_(pa.string()),
        "valid_until": _UTC,
        "summary": pa.string(),
    }
)
"""The columns of the rows in CSV. A summary as metadata is what most readers drop."""
_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""Behind the last record batch."""


class Arrow:
    """Record batches. The last row has no subject, and in `summary` what the last line of JSON says."""

    kind = "application/vnd.apache.arrow.stream"
    head: bytes = SCHEMA.serialize().to_pybytes()

    def instant(self, at: datetime | None) -> int | None:
        return None if at is None else micros(at)

    def obligations(self, names: Sequence[str]) -> Sequence[str]:
        return names

    def member(
        self, subject: str, decision: bytes, at: int, obligations: Sequence[str], until: int | None
    ) -> tuple[Any, ...]:
        return subject, decision.decode(), at, obligations, until, None

    def written(self, members: Sequence[tuple[Any, ...]]) -> bytes:
        if not members:
            return b""
        columns = [
            pa.array(values, kind) for values, kind in zip(zip(*members, strict=True), SCHEMA.types, strict=True)
        ]
        message: bytes = pa.record_batch(columns, schema=SCHEMA).serialize().to_pybytes()
        return message

    def last(self, text: bytes) -> bytes:
        return self.written([(None, None, None, None, None, text.decode())]) + _END
