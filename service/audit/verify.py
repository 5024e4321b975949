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
    certificate  {"format": "volens-erasure-certificate/v1", "certificate": JWS, "proof": proof}: of an erasure. As
                 a receipt, of typ erasure-certificate+jwt; the entry commits to the SHA-256 of its claim `erasure`
    member       one of many for which there is one entry, such as a decision of a batch: see the part on members
    export       a range of entries, complete: see the part on ranges
    anchor       lines of checkpoints, kept elsewhere: see the part on anchors. `--anchor`: one that you trust
    timestamp    a token over a checkpoint: see the part on timestamps. It needs more than this file: openssl ts -verify
    selection    some entries, each in its place: see the part on selections
    receipts     {"format":"volens-receipts/v1"}, then for entries of an export a line each: {"entry":N,"receipt":"JWS"}
    payloads     what entries of an export or a selection commit to: see the part on payloads
    keys         lines as in c2sp.org/signed-note, whom you believe. Get them elsewhere than the evidence
    witnesses    whose cosignatures a checkpoint needs: see the part on quorum
    pack         a ZIP with any of these. What is none of these, such as a page for people, has to be in its `manifest`,
                 see the part on manifests, and so has all else where there is one. Its own `keys` are believed where no
                 others are given

Ends with 0 when something is proved and nothing wrong, with 1 when not, with 2 when it can't read what it was given.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Sequence
from functools import partial
from typing import BinaryIO, TextIO

from service.audit.findings import Kind, Report, Wrong
from service.audit.notes import parse_keys
from service.audit.quorum import Policy
from service.audit.timestamps import Judge
from service.audit.verifier import BROKEN, KEYS, Verifier, later_evidence, text_in, unpacked


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
        OSError, Wrong, or one of `BROKEN`: a file, the keys, or the policy of witnesses, can't be read.
    """
    packs = {name: zipfile.ZipFile(name) for name in files if zipfile.is_zipfile(name)}
    believed = _read(keys) if keys else "\n".join(_keys_in(pack) for pack in packs.values())
    policy = Policy.parse(_read(witnesses)) if witnesses else None
    verifier = Verifier(parse_keys(believed), whole=whole, policy=policy, stamps=stamps)
    for name in known:
        verifier.known(_read(name), name)
    for name in anchors:
        with open(name, "rb") as file:
            verifier.anchored(file, name)
    for name in sorted(files, key=_comes_later):
        if name in packs:
            verifier.pack(packs[name], name)
            continue
        with open(name, "rb") as file:
            if not verifier.file(file, name, partial(_opened, name)):
                verifier.report.find(Kind.FORMAT, name, "no evidence of a kind that this verifier knows")
    return verifier.report


def _opened(name: str) -> BinaryIO:
    return open(name, "rb")


def _comes_later(name: str) -> bool:
    with _opened(name) as file:
        return later_evidence(file)


def _keys_in(pack: zipfile.ZipFile) -> str:
    if KEYS not in pack.namelist():
        return ""
    with unpacked(pack, pack.getinfo(KEYS)) as file:
        return text_in(file)


def _read(name: str) -> str:
    with _opened(name) as file:
        return text_in(file)


def main(arguments: Sequence[str], stamps: Judge | None = None) -> int:
    """Verify the files that `arguments` name; return the exit code. `stamps` judges time-stamps."""
    parser = argparse.ArgumentParser(description="Verify evidence from an audit log of Volens, offline.")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="checkpoint, proof, receipt, certificate, export, or a ZIP"
    )
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
    except (OSError, Wrong, *BROKEN) as error:
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
