"""A pack of picked entries: a ZIP with the selection, its verifier, and personal data for one recipient."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

import msgspec

from service import pack_attested, pack_receipts
from service.audit.proving import ReadLogKeys
from service.audit.signing import signed
from service.audit.standalone import verifier
from service.choosing import Choice
from service.exports import Personal
from service.exports.recipients import encrypted
from service.kernel import Handle, SubjectId
from service.packing import Pack
from service.packs import Collected, add_rules, signer_of
from service.receipt_keys import receipt_keys_file
from service.reveals import Shown
from service.settings import Settings
from service.transaction import Begin

PLAIN: Final = "personal.ndjson"
_GUIDE: Final = """# How to verify

    python3 verify.py --keys KEYS selection.ndjson

needs Python 3.10 or newer and nothing else, no network and no database. It says what it proved and what is wrong, and
ends with 0 only if something is proved and nothing wrong. KEYS is a file with the keys of {origin}: get it from the
service itself, over TLS (`/.well-known/volens/log-keys?tenant={tenant}`), and not from here; `keys` is for comparing.

`selection.ndjson` has {entries} entries that were picked from the log of {origin}. What is proved is that each of them
is in the signed tree of {size} entries, in its place, as it was when it was signed. Whether all entries were picked
that should have been is not proved: its header says what was asked for, and for proof of completeness take an export
of a range. `checkpoint` is what the log signed: keep it.

`records.ndjson`, `receipts.ndjson` and `decisions.ndjson` have what stands behind these entries, as far as it is still
there, and `rules/` the titles and sources of the rules. Name the pack itself instead of `selection.ndjson`, and these
are compared with what the entries commit to as well.
"""
_ENDED: Final = """
{ended} decisions may have been wanted as well. Rule and answer of a decision are kept for a period, which had ended for
them; their entries are in the log, and in an export of a range.
"""
_PERSONAL: Final = """
`personal.ndjson.age` has personal data of the people whom these entries are about, for the holder of the age key
{recipient} alone (`age -d -i KEY personal.ndjson.age`). It is no part of the proof. Each time it was opened is an entry
`vault.revealed` of the log.
"""


async def write(
    choice: Choice,
    begin: Begin,
    settings: Settings,
    file: IO[bytes],
    folder: Path,
    people: bytes | None,
    personal: Personal | None,
) -> None:
    """Write the pack. `people` are the lines of `personal`, which nobody but the recipient can read afterwards.

    `folder` is where files without a name lie meanwhile.

    Raises:
        FileUnusable, FileExposed: the key of the log, by which a pack is signed, isn't here.
        LogBroken, Unavailable
    """
    reading, pack = ReadLogKeys(begin, settings.log_name), Pack(file)
    origin = reading.origin(choice.tenant)
    signer = await signer_of(begin, settings, origin)
    told = {"origin": origin, "tenant": choice.tenant, "entries": len(choice.places), "size": choice.size}
    guide = _GUIDE.format(**told) + (_ENDED.format(ended=choice.ended) if choice.ended else "")
    guide += "" if personal is None else _PERSONAL.format(recipient=personal.recipient)
    pack.add("HOW-TO-VERIFY.md", guide.encode())
    pack.add("verify.py", verifier().encode())
    lines = await reading(choice.tenant)
    pack.add("keys", "".join(f"{line}\n" for line, _, _ in lines).encode())
    pack.add("checkpoint", choice.note.encode())
    await pack_attested.add(pack, begin, choice.tenant, choice.note)
    receipts_by = await pack_receipts.receipt_signer(begin, receipt_keys_file(settings), origin)
    with ExitStack() as stack:
        files = [stack.enter_context(TemporaryFile(dir=folder)) for _ in range(3)]
        collected = Collected(begin, choice.tenant, origin, files, receipts_by)
        with pack.member("selection.ndjson") as member:
            async for part in choice.ndjson(collected.take):
                member.write(part)
        collected.write(pack)
    await add_rules(begin, choice.tenant, pack, sorted(collected.revisions))
    if personal is not None and people is not None:
        pack.add(f"{PLAIN}.age", encrypted(people, personal.recipient))
    pack.add("manifest", signed(pack.manifest(origin), [signer]).encode())
    pack.close()


def lines_of(handles: Sequence[Handle], names: Mapping[Handle, SubjectId], shown: Mapping[Handle, Shown]) -> bytes:
    """Return one line for each handle: what may be read of its person, that they were erased, or whose it was before.

    A merge leaves a handle without a name, and what was kept under it is under that of another.
    """

    def line(handle: Handle) -> dict[str, Any]:
        known = shown.get(handle)
        if handle not in names:
            return {"subject": handle, "merged": True}
        if known is None:
            return {"subject": handle, "erased": True}
        values = {"values": known.values, "masked": known.masked, "missing": known.missing, "reveal": known.id}
        return {"subject": handle, "id": names[handle]} | values

    return b"".join(msgspec.json.encode(line(handle)) + b"\n" for handle in handles)
