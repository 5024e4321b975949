"""The pages of a pack for people: HOW-TO-VERIFY.md, and index.html, which opens offline and runs nothing."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from service.audit.notes import Checkpoint

FIRST: Final = 200
"""Entries that the page shows. The rest is in export.ndjson."""
_COLUMNS: Final = ("at", "event", "object", "subject", "actor", "request")


class Contents(Struct, frozen=True, kw_only=True):
    """What a pack holds."""

    tenant: str
    first: int
    after: int
    note: str
    events: Mapping[str, int]
    """How many entries there are of each event."""
    shown: Sequence[bytes]
    """The canonical bytes of the first entries."""
    members: Sequence[tuple[str, str]]
    """Names, and what is in them."""
    remarks: Sequence[str]
    """What is missing."""


def how_to_verify(tenant: str, origin: str) -> str:
    return _HOW_TO.format(tenant=tenant, origin=origin, flip=_FLIP, change=_CHANGE)


def index_page(pack: Contents) -> str:
    checkpoint = Checkpoint.parse(pack.note)
    title = f"Audit log of {pack.tenant}: entries {pack.first} to {pack.after - 1}"
    facts = [
        ("Tenant", pack.tenant),
        ("Log", checkpoint.origin),
        ("Entries", f"{pack.first} to {pack.after - 1}: {pack.after - pack.first}, none left out"),
        ("Signed tree", f"{checkpoint.size} entries"),
        ("First entry made at", _members(pack.shown[0])["at"] if pack.shown else ""),
    ]
    entries = [_members(entry) for entry in pack.shown]
    more = pack.after - pack.first - len(entries)
    body = [
        f"<h1>{_text(title)}</h1>",
        "<p>This page is for reading. It proves nothing: <code>export.ndjson</code> does, and "
        "<code>HOW-TO-VERIFY.md</code> says how.</p>",
        _table(("What", ""), facts),
        "<h2>What is in the pack</h2>",
        _table(("File", "Content"), pack.members),
        *([f"<ul>{''.join(f'<li>{_text(remark)}</li>' for remark in pack.remarks)}</ul>"] if pack.remarks else []),
        "<h2>What happened, counted</h2>",
        _table(("Event", "Entries"), sorted(pack.events.items())),
        f"<h2>The first {len(entries)} entries</h2>",
        _table(
            ("Entry", *_COLUMNS),
            ((index, *(entry[name] for name in _COLUMNS)) for index, entry in enumerate(entries, pack.first)),
        ),
        f"<p>{more} more are in <code>export.ndjson</code>.</p>" if more else "",
        "<h2>What was signed</h2>",
        f"<pre>{_text(pack.note)}</pre>",
        "<h2>How to verify it</h2>",
        "<p>With Python and nothing else, offline, in the folder of this pack under its name:</p>",
        "<pre>python3 -m zipfile -e pack.zip pack\npython3 pack/verify.py --keys pack/keys pack.zip</pre>",
        "<p>Get the keys from elsewhere than this pack: <code>HOW-TO-VERIFY.md</code> says where, what is proved and "
        "what isn't.</p>",
    ]
    return _PAGE.format(title=_text(title), body="\n".join(body))


def _members(entry: bytes) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(entry)
    return read


def _text(value: object) -> str:
    return html.escape("" if value is None else str(value))


def _table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def row(cells: Iterable[object], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"

    lines = "\n".join(row(cells, "td") for cells in rows)
    return f"<table>\n<thead>{row(heading, 'th')}</thead>\n<tbody>\n{lines}\n</tbody>\n</table>"


_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #111; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ border: 1px solid #bbb; padding: .2rem .5rem; text-align: left; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
pre {{ background: #f4f4f4; padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; }}
@media print {{ body {{ max-width: none; margin: 0; font-size: 10px; }} thead {{ display: table-header-group; }}
tr {{ break-inside: avoid; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""

_FLIP: Final = (
    "python3 -c \"b = bytearray(open('pack/export.ndjson', 'rb').read()); b[-20] ^= 1; "
    "open('changed.ndjson', 'wb').write(b)\""
)
_CHANGE: Final = (
    "python3 -c \"import zipfile; old = zipfile.ZipFile('pack.zip'); new = zipfile.ZipFile('changed.zip', 'w'); "
    "[new.writestr(name, old.read(name)[:-20] + b'#' + old.read(name)[-19:] if name == 'records.ndjson' "
    'else old.read(name)) for name in old.namelist()]; new.close()"'
)
_HOW_TO: Final = """\
# How to verify this pack

You need Python 3.9 or newer, and nothing else: no network, no database, nobody's word. Call the pack `pack.zip`, and
type in its folder (on Windows `py` instead of `python3`):

    python3 -m zipfile -e pack.zip pack
    python3 pack/verify.py --keys pack/keys pack.zip

The last line says `0 wrong`, and the command ends with 0. It ends with 1 when anything is wrong, and says what and
where; with 2 when it can't read what it was given.

## Get the keys from elsewhere

`pack/keys` says by which keys the log `{origin}` signs, on the word of whoever made this pack. Get the same lines
from the service itself, over TLS, and compare:

    https://THE-SERVICE/.well-known/volens/log-keys?tenant={tenant}

Put each `verifier_key` that it shows on a line of a file of your own, without the quotes, and name that after
`--keys`. `verify.py` came in the pack, too. It is short enough to be read; the sources of Volens make the same file.

If you have an earlier checkpoint of this log, add `--known FILE`. Keep `pack/checkpoint` for the next time.

## See it fail

Change one bit of the last entry, and verify what came out:

    {flip}
    python3 pack/verify.py --keys pack/keys changed.ndjson

It ends with 1, and names the entry that was changed.

And change something that is no entry, such as the last record, in a pack of your own:

    {change}
    python3 pack/verify.py --keys pack/keys changed.zip

It names the member of the pack and, where there is a record in it, the entry whose payload isn't what it commits to.

## What stands behind the entries

`records.ndjson`, `decisions.ndjson` and `notices.ndjson` have what was stored, each beside the number of its entry in
`export.ndjson`. That entry has a `commitment`, SHA-256 of 0x01, the `salt` and the bytes of the `payload`; for a
notice it is that of the payload alone. So the payload is what was stored when the log signed. `verify.py` compares
them all.

`receipts.ndjson` has what the log says of each record, signed by its key for receipts, as the person can have it.

What senders wrote freely, and the facts that a decision was made on, are `withheld`: a hash stands for each of them. A
person who was erased has no salts any more (`"salt":null`): then nobody can tell what was committed to, and the entry
still proves that something was.

## What is proved

- The entries in `export.ndjson` are those that the log signed, byte for byte, in their order.
- Within their range none is missing, and none was put in.
- The whole tree that the checkpoint names was signed by a key that you believe.
- What has a salt is what entries tell of: records, decisions, and notices word for word.
- Every file in the pack is what the log signed in `manifest` when the pack was made.

## What is not

- That what an entry says is true, or that everything that happened was noted. Its time is the service's clock.
- That nobody else was shown another log. Compare checkpoints with others, or with your own from earlier.
- Payloads with `"salt":null`, and entries of before there were commitments. They are what the database holds.
- What `rules/` says: titles and sources of the rules of each revision. A revision is named by the hash of what it is
  built from, which is not in the pack. The manifest says only that nobody changed them on the way.
- Anything on `index.html`. It is for reading.

A person is named by a handle, a random number. What joins it to the person is not in the pack.
"""
