"""Verify payloads: what entries commit to, each shown beside the salt that opens it.

Lines, each ending in 0x0A. First the header, {"format":"volens-audit-payloads/v1","event":EVENT}. Then one line for
each payload, by the places of the entries, in exactly this spelling: {"entry":N,"salt":SALT,"payload":BYTES}

    salt        64 lower-case hexadecimal digits: the entry commits to SHA-256(0x01 || salt || payload)
                "": it commits to SHA-256(payload), in which nothing is about a person
                null: it can't be opened, since the person was erased, or it commits to nothing, as entries once did
    payload     JSON per RFC 8785. `withheld` in it has hashes that stand for what isn't shown

N is null where the entry isn't among those at hand; then nothing proves the payload.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from service.audit.commitments import commitment_of
from service.audit.findings import Kind, Report, Wrong
from service.audit.ranges import document, members_of

PAYLOADS: Final = "volens-audit-payloads/v1"
_PAYLOAD: Final = re.compile(
    rb'\{"entry":(null|0|[1-9][0-9]{0,18}),"salt":(null|""|"[0-9a-f]{64}"),"payload":(\{.*\})\}'
)
_INDEXED: Final = re.compile(rb'\{"index":([0-9]{1,19}),.*?"entry":(\{.*\})\}')


def entries_in(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield index and canonical bytes of each entry of an export or a selection, which is verified elsewhere."""
    for line in lines:
        read = _INDEXED.fullmatch(line)
        if read is not None:
            yield int(read[1]), read[2]


class Payloads:
    """Payloads of one event, as far as they have been read."""

    def __init__(self, header: bytes, place: str, report: Report) -> None:
        """Read the header.

        Raises:
            Wrong: it isn't one.
        """
        self.event: str = document(header, PAYLOADS, {"event": str})["event"]
        self.proved = self.closed = self.unbound = self.without = 0
        self._place, self._report = place, report
        self._held: tuple[int, bytes] | None = None
        """An entry beyond the one that was looked for last."""

    def read(self, lines: Iterable[bytes], entries: Iterator[tuple[int, bytes]]) -> None:
        """Judge all lines, by the entries in their order."""
        last = -1
        for line in lines:
            read = _PAYLOAD.fullmatch(line)
            if read is None:
                self._report.find(Kind.FORMAT, f"{self._place}, behind entry {last}", "the line doesn't hold a payload")
                continue
            if read[1] == b"null":
                self.unbound += 1
                continue
            index = int(read[1])
            with self._report.at(f"{self._place}, entry {index}"):
                if index <= last:
                    raise Wrong(Kind.ORDER, f"it stands behind entry {last}")
                last = index
                entry = self._entry(index, entries)
                self._judge(entry, None if read[2] == b"null" else bytes.fromhex(read[2][1:-1].decode()), read[3])
        while (rest := self._next(entries)) is not None:
            self._pass(rest[1])

    def _next(self, entries: Iterator[tuple[int, bytes]]) -> tuple[int, bytes] | None:
        held, self._held = self._held, None
        return held if held is not None else next(entries, None)

    def _entry(self, index: int, entries: Iterator[tuple[int, bytes]]) -> dict[str, Any]:
        while (found := self._next(entries)) is not None:
            if found[0] == index:
                return members_of(found[1])
            if found[0] > index:
                self._held = found
                break
            self._pass(found[1])
        raise Wrong(Kind.PAYLOAD, "no such entry is at hand")

    def _pass(self, entry: bytes) -> None:
        if b'"event":"%b"' % self.event.encode() in entry:
            self.without += 1

    def _judge(self, entry: dict[str, Any], salt: bytes | None, payload: bytes) -> None:
        if entry.get("event") != self.event:
            raise Wrong(Kind.PAYLOAD, f"the entry tells of {entry.get('event')}, and not of {self.event}")
        said = members_of(payload)
        name = str(said["id"]) if "id" in said else f"{said.get('notice')}/{said.get('version')}"
        if name != entry.get("object"):
            raise Wrong(Kind.PAYLOAD, f"the entry is about {entry.get('object')}, and the payload about {name}")
        if said.get("handle") != entry.get("subject"):
            raise Wrong(Kind.PAYLOAD, f"{json.dumps(name)} is said to be of another person than its entry")
        commitment = entry.get("commitment")
        if salt is None:
            self.closed += commitment is not None
            self.unbound += commitment is None
            return
        if commitment is None:
            raise Wrong(Kind.PAYLOAD, "it has a salt, and the entry commits to nothing")
        if commitment != (commitment_of(salt, payload) if salt else hashlib.sha256(payload).digest()).hex():
            raise Wrong(Kind.PAYLOAD, f"{json.dumps(name)} was changed, or its salt")
        self.proved += 1

    def words(self) -> str:
        """Say what is proved, and what isn't."""
        told = [f"{self.proved} payloads are what entries {self.event} commit to"]
        told += [f"{self.closed} can't be opened any more"] * bool(self.closed)
        told += [f"{self.unbound} are not bound to an entry here"] * bool(self.unbound)
        told += [f"{self.without} entries are without one"] * bool(self.without)
        return "; ".join(told)
