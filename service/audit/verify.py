"""Verify what an audit log of Volens hands out, without a network, a database or anybody's word.

    python3 verify.py [--keys FILE] [--known FILE]... [--anchor FILE]... [--witnesses FILE] [--whole] FILE...

The log is a Merkle tree (RFC 9162, section 2) over entries; it signs the root of its tree. Evidence comes as

    checkpoint   a signed root: text, as in c2sp.org/tlog-checkpoint. `--known`: one that you kept from earlier
    proof        that one entry is in the tree: text, as in c2sp.org/tlog-proof. Its extra data are the entry
    consistency  {"format": "volens-audit-consistency/v1", "old": checkpoint, "new": checkpoint, "proof": [hash…]}:
                 the older tree is the beginning of the newer, nothing in it was changed
    receipt      {"format": "volens-receipt/v1", "receipt": JWS, "proof": proof}: what the log says of a record. The JWS
                 is compact, EdDSA, of typ consent-receipt+jwt, signed by the key "origin/receipts" (kid: name+id); its
                 claim `jti` is the object of the entry, `leaf` the entry's hash
    export       a range of entries, complete: see the part on ranges
    anchor       lines of checkpoints, kept elsewhere: see the part on anchors. `--anchor`: one that you trust
    timestamp    a token over a checkpoint: see the part on timestamps. It needs more than this file: openssl ts -verify
    selection    some entries, each in its place: see the part on selections
    keys         lines as in c2sp.org/signed-note, whom you believe. Get them elsewhere than the evidence
    witnesses    whose cosignatures a checkpoint needs: see the part on quorum
    pack         a ZIP with any of these. Its own `keys` are believed where no others are given

Ends with 0 when something is proved and nothing wrong, with 1 when not, with 2 when it can't read what it was given.
"""

from __future__ import annotations

import argparse
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final, TextIO

from service.audit.anchors import ANCHOR, read_anchors
from service.audit.findings import Kind, Report, Wrong
from service.audit.jws import claims_of
from service.audit.notes import Checkpoint, Keys, decoded, parse_keys
from service.audit.quorum import Policy
from service.audit.ranges import EXPORT, Range, document, hashes_in, lines_of, members_of
from service.audit.selections import SELECTION, Selection
from service.audit.timestamps import TIMESTAMP, Judge, stamped, timestamp_in
from service.audit.tree import leaf_hash, verify_consistency, verify_inclusion

PROOF: Final = "c2sp.org/tlog-proof@v1"
CONSISTENCY: Final = "volens-audit-consistency/v1"
RECEIPT: Final = "volens-receipt/v1"
LARGEST: Final = 1 << 24
"""Bytes of a single piece of evidence at most. An export is a stream, and has no limit."""
_FORM: Final = re.compile(r'\{\s*"format"\s*:\s*"([^"]*)"')
_NOTE: Final = re.compile(r"[^\n]+\n[0-9]+\n[^\n]+\n")


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
            claims = claims_of(read["receipt"], checkpoint.origin, self._keys)
            if claims.get("leaf") != leaf_hash(entry).hex():
                raise Wrong(Kind.RECEIPT, f"the receipt is about another entry than entry {index}")
            if claims.get("jti") != members_of(entry).get("object"):
                raise Wrong(Kind.RECEIPT, f"the receipt is about another object than entry {index}")
            proved.append(f"entry {index} of {checkpoint.origin} stands for the receipt of {claims['jti']}")

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
            chosen.read(lines)
            if self._whole:
                self.report.find(Kind.RANGE_INCOMPLETE, place, "it is a selection, which proves no completeness")
            proved.append(
                f"{chosen.entries} chosen entries are in their places in the tree of {checkpoint.size} that "
                f"{checkpoint.origin} signed; whether others belong to them is not proved"
            )

    def _checkpoint(self, note: str, place: str, *, current: bool = True) -> Checkpoint:
        checkpoint = Checkpoint.parse(note)
        self._believe(checkpoint, place, current=current)
        return checkpoint

    def _believe(self, checkpoint: Checkpoint, place: str, *, current: bool = True) -> None:
        """Verify the signatures, and compare with what was seen of this log before."""
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

    def file(self, file: BinaryIO, place: str) -> bool:
        """Verify the evidence in `file`, of whatever kind it is. Return whether there was any."""
        start = file.read(1000).decode("utf-8", "replace")
        file.seek(0)
        form = _FORM.match(start)
        streams: dict[str, Callable[[BinaryIO, str], None]] = {EXPORT: self.export, SELECTION: self.selection}
        if form and form[1] in streams:
            streams[form[1]](file, place)
            return True
        if form and form[1] == ANCHOR:
            self.anchored(file, place)
            return True
        judges: dict[str, Callable[[str, str], None]] = {
            CONSISTENCY: self.consistency,
            RECEIPT: self.receipt,
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
            judge(_text(file.read(LARGEST)), place)
        return True

    def pack(self, pack: zipfile.ZipFile, place: str) -> None:
        """Verify the members of a pack that are evidence; others, such as pages for people, are nobody's word."""
        names = set()
        for member in pack.infolist():
            where = f"{place}, {member.filename}"
            if member.filename in names:
                self.report.find(Kind.FORMAT, where, "the pack has two of this name")
            names.add(member.filename)
            try:
                with pack.open(member) as file:
                    setattr(file, "_expected_crc", None)  # noqa: B010, the tree says more than a checksum, and where
                    self.file(file, where)  # type: ignore[arg-type]
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                self.report.find(Kind.FORMAT, where, f"it can't be unpacked: {error}")


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


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Wrong(Kind.FORMAT, "not UTF-8") from None


def _shown(entry: bytes) -> str:
    return entry.decode("ascii", "backslashreplace")


def verified(
    files: Sequence[str],
    keys: str | None,
    known: Sequence[str],
    *,
    whole: bool,
    anchors: Sequence[str] = (),
    witnesses: str | None = None,
    stamps: Judge | None = None,
) -> Report:
    """Verify files by their names.

    Raises:
        OSError, BadZipFile, Wrong: a file, the keys, or the policy of witnesses, can't be read.
    """
    packs = {name: zipfile.ZipFile(name) for name in files if zipfile.is_zipfile(name)}
    believed = _read(keys) if keys else b"".join(_keys_in(pack) for pack in packs.values())
    policy = Policy.parse(_text(_read(witnesses))) if witnesses else None
    verifier = Verifier(parse_keys(_text(believed)), whole=whole, policy=policy, stamps=stamps)
    for name in known:
        verifier.known(_text(_read(name)), name)
    for name in anchors:
        with open(name, "rb") as file:
            verifier.anchored(file, name)
    for name in files:
        if name in packs:
            verifier.pack(packs[name], name)
            continue
        with open(name, "rb") as file:
            if not verifier.file(file, name):
                verifier.report.find(Kind.FORMAT, name, "no evidence of a kind that this verifier knows")
    return verifier.report


def _keys_in(pack: zipfile.ZipFile) -> bytes:
    return pack.read("keys") if "keys" in pack.namelist() else b""


def _read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read(LARGEST)


def main(arguments: Sequence[str], stamps: Judge | None = None) -> int:
    """Verify the files that `arguments` name; return the exit code. `stamps` judges time-stamps."""
    parser = argparse.ArgumentParser(description="Verify evidence from an audit log of Volens, offline.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="checkpoint, proof, receipt, export, or a ZIP of them")
    parser.add_argument("--keys", metavar="FILE", help="verifier keys that you believe, one a line")
    parser.add_argument("--known", metavar="FILE", action="append", default=[], help="a checkpoint you had already")
    parser.add_argument("--anchor", metavar="FILE", action="append", default=[], help="anchors that you trust")
    parser.add_argument("--witnesses", metavar="FILE", help="a policy (c2sp.org/tlog-policy) that evidence must meet")
    parser.add_argument("--whole", action="store_true", help="an export must have all entries of its tree")
    asked = parser.parse_args(arguments)
    try:
        report = verified(
            asked.files,
            asked.keys,
            asked.known,
            whole=asked.whole,
            anchors=asked.anchor,
            witnesses=asked.witnesses,
            stamps=stamps,
        )
    except (OSError, zipfile.BadZipFile, Wrong) as error:
        _say(f"can't verify: {error}", sys.stderr)
        return 2
    if not asked.keys:
        _say("note    no --keys were given: who signed is known on the word of the pack alone")
    for words in report.proved:
        _say(f"proved  {words}")
    for finding in report.findings:
        _say(f"WRONG   {finding.place}: {finding.kind.name}: {finding.kind.value}; {finding.words}")
    _say(f"{len(report.proved)} proved, {len(report.findings)} wrong")
    return 1 if report.findings or not report.proved else 0


def _say(words: str, to: TextIO | None = None) -> None:
    """Print a line. What stands in evidence may not steer the terminal."""
    print("".join(sign if " " <= sign <= "~" else ascii(sign)[1:-1] for sign in words), file=to)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
