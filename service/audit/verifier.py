"""Judge evidence piece by piece: checkpoints, proofs, receipts, ranges, selections, and packs of them.

`service.audit.verify` says what evidence there is, and how to have files judged.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Final

from service.audit.anchors import ANCHOR, read_anchors
from service.audit.findings import Kind, Report, Wrong
from service.audit.grouped import MEMBER, payload_among
from service.audit.manifests import manifest_members, measured_member
from service.audit.notes import Checkpoint, Keys, decoded
from service.audit.payloads import PAYLOADS, Payloads, entries_in
from service.audit.quorum import Policy
from service.audit.ranges import EXPORT, Range, document, hashes_in, lines_of, members_of
from service.audit.receipted import MANY_RECEIPTS, read_receipts, verify_certificate, verify_receipt
from service.audit.selections import SELECTION, Selection
from service.audit.timestamps import TIMESTAMP, Judge, stamped, timestamp_in
from service.audit.tree import leaf_hash, verify_consistency, verify_inclusion

PROOF: Final = "c2sp.org/tlog-proof@v1"
CONSISTENCY: Final = "volens-audit-consistency/v1"
RECEIPT: Final = "volens-receipt/v1"
CERTIFICATE: Final = "volens-erasure-certificate/v1"
KEYS: Final = "keys"
_MANIFEST: Final = "manifest"
_LATER: Final = (PAYLOADS, MANY_RECEIPTS)
LARGEST: Final = 1 << 24
"""Bytes of a single piece of evidence at most. An export is a stream, and has no limit."""
_FORM: Final = re.compile(r'\{\s*"format"\s*:\s*"([^"]*)"')
_NOTE: Final = re.compile(r"[^\n]+\n[0-9]+\n[^\n]+\n")


BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeError)
"""What the library of ZIPs raises over one that was changed or is packed in a way of its own."""


Open = Callable[[], BinaryIO]


class Verifier:
    """Takes evidence piece by piece and reports on all of it."""

    def __init__(
        self, keys: Keys, *, whole: bool = False, policy: Policy | None = None, stamps: Judge | None = None
    ) -> None:
        """With `whole`, an export that leaves out entries of its tree is incomplete.

        With a `policy`, its keys are believed too, and evidence needs its quorum. `stamps` judges time-stamps.
        """
        self.report = Report()
        self._keys = {**keys, **(policy.keys if policy else {})}
        self._whole = whole
        self._policy = policy
        self._stamps = stamps
        self._known: list[Checkpoint] = []
        self._anchored: list[Checkpoint] = []
        self._seen: dict[tuple[str, int], tuple[bytes, str]] = {}
        self._witnessed: dict[str, dict[int, int]] = {}
        self._entries: tuple[Open, str, bool] | None = None
        """The last entries that were read, from the start, their log, and whether they hold."""

    def known(self, note: str, place: str) -> None:
        """Remember a checkpoint that the auditor had already. Evidence may not be older, nor differ."""
        with self.report.at(place):
            self._known.append(self._checkpoint(note, place, current=False))

    def anchored(self, file: BinaryIO, place: str) -> None:
        """Remember checkpoints that were kept where nobody can change them. Evidence may be older, but not differ."""
        with self._proving(place) as proved:
            held = read_anchors(
                lines_of(file),
                place,
                self.report,
                lambda checkpoint, where: self._believe(checkpoint, where, current=False),
            )
            self._anchored += held
            if not held:
                raise Wrong(Kind.FORMAT, "nothing is anchored in it")
            for last in {checkpoint.origin: checkpoint for checkpoint in held}.values():
                number = sum(checkpoint.origin == last.origin for checkpoint in held)
                proved.append(f"{number} anchors of {last.origin}, each the beginning of the next, up to {last.size}")

    def timestamp(self, text: str, place: str) -> None:
        with self._proving(place) as proved:
            note, token = timestamp_in(text)
            checkpoint = self._checkpoint(note, place, current=False)
            if self._stamps is None:
                raise Wrong(
                    Kind.TIMESTAMP, "whose time-stamps are believed wasn't said, or this verifier can't judge any"
                )
            at = self._stamps(token, stamped(checkpoint))
            self._saw(checkpoint, int(at.timestamp()))
            proved.append(f"{checkpoint.origin} had signed a tree of {checkpoint.size} entries at {at.isoformat()}")

    def checkpoint(self, note: str, place: str) -> None:
        with self._proving(place) as proved:
            checkpoint = self._checkpoint(note, place)
            proved.append(f"{checkpoint.origin} signed a tree of {checkpoint.size} entries")

    def proof(self, text: str, place: str, entry: bytes | None = None) -> None:
        """Verify that an entry is in the tree: `entry`, or else the one that the proof has with it."""
        with self._proving(place) as proved:
            checkpoint, index, entry = self._included(text, place, entry)
            proved.append(f"entry {index} of {checkpoint.origin} is in its tree of {checkpoint.size}: {_shown(entry)}")

    def consistency(self, text: str, place: str) -> None:
        with self._proving(place) as proved:
            read = document(text, CONSISTENCY, {"old": str, "new": str, "proof": list})
            proof = hashes_in(read["proof"])
            old = self._checkpoint(read["old"], f"{place}, old", current=False)
            new = self._checkpoint(read["new"], f"{place}, new")
            if old.origin != new.origin:
                raise Wrong(Kind.CONSISTENCY, "the checkpoints are of different logs")
            verify_consistency(old.size, old.root, new.size, new.root, proof)
            proved.append(f"the {old.size} entries that {old.origin} signed are the first of its {new.size}")

    def receipt(self, text: str, place: str) -> None:
        with self._proving(place) as proved:
            read = document(text, RECEIPT, {"receipt": str, "proof": str})
            checkpoint, index, entry = self._included(read["proof"], place, None)
            jti = verify_receipt(read["receipt"], checkpoint.origin, entry, self._keys)
            proved.append(f"entry {index} of {checkpoint.origin} stands for the receipt of {jti}")

    def member(self, text: str, place: str) -> None:
        """Verify one of many for which there is one entry: see `service.audit.grouped`."""
        with self._proving(place) as proved:
            read = members_of(text)
            checkpoint, index, entry = self._included(str(read.get("proof")), place, None)
            payload_among(read, members_of(entry))
            proved.append(f"entry {index} of {checkpoint.origin} stands for {_shown(read['payload'].encode())}")

    def certificate(self, text: str, place: str) -> None:
        with self._proving(place) as proved:
            read = document(text, CERTIFICATE, {"certificate": str, "proof": str})
            checkpoint, index, entry = self._included(read["proof"], place, None)
            jti, steps = verify_certificate(read["certificate"], checkpoint.origin, index, entry, self._keys)
            proved.append(
                f"entry {index} of {checkpoint.origin} stands for the erasure of request {jti}: {steps} steps"
            )

    def export(self, file: BinaryIO, place: str) -> None:
        with self._proving(place) as proved:
            lines = lines_of(file)
            entries = Range(next(lines, b""), place, self.report)
            checkpoint = entries.checkpoint
            with self.report.at(f"{place}, checkpoint"):
                self._believe(checkpoint, f"{place}, checkpoint")
            entries.read(lines, self._witnessed.get(checkpoint.origin, {}))
            entries.close([*self._known, *self._anchored])
            if self._whole and (entries.first, entries.after) != (0, checkpoint.size):
                words = f"the export has entries {entries.first} to {entries.after - 1} of {checkpoint.size}"
                self.report.find(Kind.RANGE_INCOMPLETE, place, words)
            proved.append(
                f"the {entries.after - entries.first} entries from {entries.first} are those that {checkpoint.origin} "
                f"signed, in a tree of {checkpoint.size}; none is missing"
            )

    def selection(self, file: BinaryIO, place: str) -> None:
        with self._proving(place) as proved:
            lines = lines_of(file)
            chosen = Selection(next(lines, b""), place, self.report)
            checkpoint = chosen.checkpoint
            with self.report.at(f"{place}, checkpoint"):
                self._believe(checkpoint, f"{place}, checkpoint")
            chosen.read(lines, self._witnessed.get(checkpoint.origin, {}))
            if self._whole:
                self.report.find(Kind.RANGE_INCOMPLETE, place, "it is a selection, which proves no completeness")
            proved.append(
                f"{chosen.entries} chosen entries are in their places in the tree of {checkpoint.size} that "
                f"{checkpoint.origin} signed; whether others belong to them is not proved"
            )

    def payloads(self, file: BinaryIO, place: str) -> None:
        with self._proving(place) as proved:
            lines = lines_of(file)
            payloads = Payloads(next(lines, b""), place, self.report)
            if self._entries is None:
                raise Wrong(Kind.PAYLOAD, "the entries that commit to them are not at hand")
            again, _, sound = self._entries
            with again() as entries:
                payloads.read(lines, entries_in(lines_of(entries)))
            if sound:
                proved.append(payloads.words())

    def receipts(self, file: BinaryIO, place: str) -> None:
        with self._proving(place) as proved:
            lines = lines_of(file)
            document(next(lines, b""), MANY_RECEIPTS, {})
            if self._entries is None:
                raise Wrong(Kind.RECEIPT, "the entries that they are about are not at hand")
            again, origin, sound = self._entries
            with again() as entries:
                number = read_receipts(lines, entries_in(lines_of(entries)), origin, self._keys, place, self.report)
            if sound and number:
                proved.append(f"{number} receipts are about entries of {origin}")

    def _checkpoint(self, note: str, place: str, *, current: bool = True) -> Checkpoint:
        checkpoint = Checkpoint.parse(note)
        self._believe(checkpoint, place, current=current)
        return checkpoint

    def _believe(self, checkpoint: Checkpoint, place: str, *, current: bool = True) -> None:
        """Verify the signatures, and compare with what was seen of this log before."""
        self._origin = checkpoint.origin
        at = checkpoint.verify(self._keys)
        if at is not None:
            self._saw(checkpoint, at)
        root, where = self._seen.setdefault((checkpoint.origin, checkpoint.size), (checkpoint.root, place))
        if root != checkpoint.root:
            raise Wrong(Kind.FORK, f"another tree of {checkpoint.size} entries was signed: {where}")
        newest = max((known.size for known in self._known if known.origin == checkpoint.origin), default=0)
        if current and checkpoint.size < newest:
            raise Wrong(Kind.REPLAYED, f"a tree of {checkpoint.size} entries, and one of {newest} is known")
        if current and self._policy:
            self._policy.verify(checkpoint)

    def _saw(self, checkpoint: Checkpoint, at: int) -> None:
        """Remember that somebody else had seen this tree at this POSIX second."""
        witnessed = self._witnessed.setdefault(checkpoint.origin, {})
        witnessed[checkpoint.size] = min(at, witnessed.get(checkpoint.size, at))

    def _included(self, text: str, place: str, entry: bytes | None) -> tuple[Checkpoint, int, bytes]:
        note, index, hashes, extra = _proof_in(text)
        if entry is None:
            if extra is None:
                raise Wrong(Kind.FORMAT, "the proof has no entry with it")
            entry = decoded(extra)
        checkpoint = self._checkpoint(note, place)
        verify_inclusion(leaf_hash(entry), index, checkpoint.size, hashes, checkpoint.root)
        return checkpoint, index, entry

    @contextmanager
    def _proving(self, place: str) -> Iterator[list[str]]:
        """Turn what goes wrong into findings; report what is proved only if nothing did."""
        proved: list[str] = []
        before = len(self.report.findings)
        with self.report.at(place):
            yield proved
        if len(self.report.findings) == before:
            self.report.proved += [f"{place}: {words}" for words in proved]

    def file(self, file: BinaryIO, place: str, again: Open | None = None) -> bool:
        """Verify the evidence in `file`, of whatever kind it is. Return whether there was any.

        `again` opens the same once more, for payloads that belong to entries in it.
        """
        start = file.read(1000).decode("utf-8", "replace")
        file.seek(0)
        form = _FORM.match(start)
        streams: dict[str, Callable[[BinaryIO, str], None]] = {EXPORT: self.export, SELECTION: self.selection}
        if form and form[1] in streams:
            before = len(self.report.findings)
            self._origin = ""
            streams[form[1]](file, place)
            if again is not None:
                self._entries = again, self._origin, len(self.report.findings) == before
            return True
        if form and form[1] in _LATER:
            (self.payloads if form[1] == PAYLOADS else self.receipts)(file, place)
            return True
        if form and form[1] == ANCHOR:
            self.anchored(file, place)
            return True
        judges: dict[str, Callable[[str, str], None]] = {
            CONSISTENCY: self.consistency,
            RECEIPT: self.receipt,
            MEMBER: self.member,
            CERTIFICATE: self.certificate,
            TIMESTAMP: self.timestamp,
        }
        judge = judges.get(form[1] if form else "")
        if start.startswith(PROOF):
            judge = self.proof
        elif _NOTE.match(start):
            judge = self.checkpoint
        if judge is None:
            return False
        with self.report.at(place):
            judge(text_in(file), place)
        return True

    def pack(self, pack: zipfile.ZipFile, place: str) -> None:
        """Verify the members of a pack: what is evidence by itself, and all else by what the log signed of it."""
        self._entries = None
        members = self._members(pack, place)
        signed = self._manifest(pack, place)
        late: list[zipfile.ZipInfo] = []

        def judge(file: BinaryIO, where: str, member: zipfile.ZipInfo) -> None:
            name, measured = member.filename, measured_member(file)
            file.seek(0)
            if signed is not None and name != _MANIFEST and signed.get(name) != measured:
                self.report.find(Kind.MEMBER, where, "it was changed" if name in signed else "it was put in")
            if later_evidence(file):
                late.append(member)
                return
            if self._stamps is None and signed is not None and _form_of(file) == TIMESTAMP:
                return  # nobody here can judge it
            evidence = self.file(file, where, partial(unpacked, pack, member))
            if not evidence and name != KEYS and _MANIFEST not in members:
                self.report.find(Kind.MEMBER, where, "it proves nothing by itself, and there is no manifest")

        for member in members.values():
            self._unpacked(pack, member, place, partial(judge, member=member))
        for member in late:
            self._unpacked(pack, member, place, self.file)
        for name in (signed or {}).keys() - members.keys():
            self.report.find(Kind.MEMBER, f"{place}, {name}", "it was taken out")
        if signed is not None and not any(finding.place.startswith(place) for finding in self.report.findings):
            self.report.proved.append(f"{place}: its {len(signed)} members are those that the log signed for")

    def _members(self, pack: zipfile.ZipFile, place: str) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        for member in pack.infolist():
            if members.setdefault(member.filename, member) is not member:
                self.report.find(Kind.FORMAT, f"{place}, {member.filename}", "the pack has two of this name")
        return members

    def _manifest(self, pack: zipfile.ZipFile, place: str) -> dict[str, tuple[str, int]] | None:
        """Return what was signed of each member. None without a manifest, or with one that is wrong."""
        signed: dict[str, tuple[str, int]] | None = None

        def read(file: BinaryIO, where: str) -> None:
            nonlocal signed
            with self.report.at(where):
                signed = manifest_members(text_in(file), self._keys)

        if _MANIFEST in pack.namelist():
            self._unpacked(pack, pack.getinfo(_MANIFEST), place, read)
        return signed

    def _unpacked(
        self, pack: zipfile.ZipFile, member: zipfile.ZipInfo, place: str, judge: Callable[[BinaryIO, str], object]
    ) -> None:
        where = f"{place}, {member.filename}"
        try:
            with unpacked(pack, member) as file:
                judge(file, where)
        except BROKEN as error:
            self.report.find(Kind.FORMAT, where, f"it can't be unpacked: {error}")


def unpacked(pack: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    """Open a member. Raises one of `BROKEN`, here or while it is read."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("packed by another method than Deflate")
    file = pack.open(member)
    setattr(file, "_expected_crc", None)  # noqa: B010, hashes say more than a checksum, and where
    return file  # type: ignore[return-value]


def _proof_in(text: str) -> tuple[str, int, list[bytes], str | None]:
    """Return the checkpoint's note, the index, the hashes and the extra data of a proof."""
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    extra = lines.pop(1)[6:] if lines[1:] and lines[1].startswith("extra ") else None
    number = lines[1][6:] if lines[1:] and lines[1].startswith("index ") else ""
    if lines[0] != PROOF or not number.isdecimal() or not number.isascii() or str(int(number[:20])) != number:
        raise Wrong(Kind.FORMAT, f"not {PROOF}")
    hashes = [decoded(line) for line in lines[2:]]
    if any(len(node) != 32 for node in hashes):
        raise Wrong(Kind.FORMAT, "not a list of hashes")
    return note, int(number), hashes, extra


def text_in(file: BinaryIO) -> str:
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Wrong(Kind.FORMAT, "too large for what it is")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Wrong(Kind.FORMAT, "not UTF-8") from None


def _shown(entry: bytes) -> str:
    return entry.decode("ascii", "backslashreplace")


def later_evidence(file: BinaryIO) -> bool:
    """Tell whether a file belongs to entries, which have to be read before it; go back to its start."""
    return _form_of(file) in _LATER


def _form_of(file: BinaryIO) -> str | None:
    """Return the format that a file names, and go back to its start."""
    form = _FORM.match(file.read(100).decode("utf-8", "replace"))
    file.seek(0)
    return None if form is None else form[1]
