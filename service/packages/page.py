"""`index.html`: the package for the person, in their language. Opens offline, runs nothing, can be printed."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec

from service.packages.declared import STAFF
from service.packages.domain import AccessPackage, Origin, RetentionTold, Rows, Until, ValueTold, document_of
from service.packages.markup import (
    Markup,
    code,
    english,
    free,
    joined,
    listed,
    paragraph,
    section,
    table,
    text,
    when,
    worded,
)
from service.packages.sheets import facts_of
from service.packages.wording import Words

SHOWN: Final = 1_000
"""So many records, decisions and reveals are on the page, the last of each. The files have all."""

Body = Callable[[AccessPackage, Words], Iterator[str]]
_json: Final = msgspec.json.Encoder(order="sorted")


def written(package: AccessPackage, words: Words) -> Iterator[bytes]:
    """Yield the page in UTF-8. It is well-formed XML as well, but for its first line."""
    head, page = package.head, words.page
    language = words.language
    intro = "intro" if head.in_full else "intro_categories"
    sections = [each for each in SECTIONS if each[0] not in (_KINDS if head.in_full else _IN_FULL)]
    yield _HEAD.format(lang=language.value, dir=language.direction, title=text(page("title")), style=_STYLE).encode()
    made = when(words, head.made_at).html
    yield (
        f'<a class="skip" href="#main">{text(page("skip"))}</a>\n<header>\n<h1>{text(page("title"))}</h1>\n'
        f"<p>{text(page('made_at'))}: {made}</p>\n<p>{text(page(intro))}</p>\n</header>\n"
        f'<nav aria-label="{text(page("contents"))}">\n<h2>{text(page("contents"))}</h2>\n<ol>\n'
    ).encode()
    for name, _ in sections:
        yield f'<li><a href="#{name}">{text(page(name))}</a></li>\n'.encode()
    yield b'</ol>\n</nav>\n<main id="main">\n'
    for name, body in sections:
        for part in section(name, page(name), body(package, words)):
            yield part.encode()
    yield b"</main>\n</body>\n</html>\n"


def _about(package: AccessPackage, words: Words) -> Iterator[str]:
    head = package.head
    contact = head.contact
    told = [
        (words.page("subject"), joined(code(each) for each in (head.subject, *head.other_ids))),
        (words.page("tenant"), code(head.tenant)),
        (words.page("controller"), _stated(contact.controller, words)),
        (words.page("address"), _stated(contact.address, words)),
        (words.page("officer"), _stated(contact.officer, words)),
        (words.page("authority"), _stated(contact.authority, words)),
    ]
    yield from table(words.page("about"), (words.page("what"), words.page("said")), told)
    yield paragraph(words.page("files"))


def _stated(said: str | None, words: Words) -> Markup | str:
    return words.page("not_stated") if said is None else free(said)


def _values(package: AccessPackage, words: Words) -> Iterator[str]:
    heading = ("what", "said", "version", "since", "until", "written_by")
    rows = (
        (_name(each, words), _value(each, words), each.version, when(words, each.at), when(words, each.until),
         _client(each.written_by, words))
        for each in package.head.values
    )  # fmt: skip
    yield from _table("values", heading, rows, len(package.head.values), words)


def _categories(package: AccessPackage, words: Words) -> Iterator[str]:
    yield from listed(words.of("kept", each) or worded(words, "field", each) for each in package.head.categories)


def _name(value: ValueTold, words: Words) -> Markup:
    _, _, label = value.name.partition("#")
    field = worded(words, "field", value.field)
    return joined([field, code(label)] if label else [field], " ")


def _value(told: ValueTold, words: Words) -> Markup | str:
    if told.deleted:
        return words.page("deleted")
    if not told.opened:
        return words.page("not_opened")
    if (document := document_of(told.value)) is not None:
        return joined([code(document[0]), f"{len(document[1])} B"])
    return _free(told.value)


def _free(value: Any) -> Markup:
    match value:
        case str():
            return free(value)
        case dict():
            lines = value.get("lines") or ()
            rest = (value.get(name) for name in ("postcode", "locality", "region", "country"))
            return free("\n".join(str(part) for part in (*lines, *rest) if part))
        case _:
            return free(_json.encode(value).decode())


def _facts(package: AccessPackage, words: Words) -> Iterator[str]:
    told = [(version, *each) for version in package.head.facts for each in facts_of(version)]
    rows = (
        (worded(words, "fact", name), _fact(value, words), version.version, when(words, version.at))
        for version, name, value in told
    )
    yield from _table("facts", ("what", "said", "version", "since"), rows, len(told), words)
    flags = msgspec.to_builtins(package.head.flags)
    yield from _table(
        "flags",
        ("what", "said"),
        ((worded(words, "flag", name), _fact(value, words)) for name, value in flags.items()),
        len(flags),
        words,
    )


def _fact(value: Any, words: Words) -> Markup | str:
    if isinstance(value, bool):
        return words.page("yes" if value else "no")
    return free(str(value))


def _state(package: AccessPackage, words: Words) -> Iterator[str]:
    yield paragraph(words.page("state_intro"))
    rows = (
        (worded(words, "action", each.action), worded(words, "purpose", each.purpose),
         worded(words, "channel", each.channel), when(words, each.at), when(words, each.expires_at))
        for each in package.head.state
    )  # fmt: skip
    heading = ("act", "purpose", "channel", "since", "until")
    yield from _table("state", heading, rows, len(package.head.state), words)


def _records(package: AccessPackage, words: Words) -> Iterator[str]:
    heading = ("happened_at", "act", "purpose", "channel", "method", "notice", "evidence", "rest", "id")
    yield from _long("records", heading, package.records, lambda each: _record(each, words), words)


_OWN: Final = frozenset({
    "ts", "original_ts", "action", "purpose", "channel", "method", "notice_version", "evidence",
})  # fmt: skip


def _record(each: Any, words: Words) -> tuple[Any, ...]:
    said = each.said
    channels = said["channel"] if isinstance(said["channel"], list) else [said["channel"]]
    rest: list[Any] = [
        joined([code(name), free(value if isinstance(value, str) else _json.encode(value).decode())], " ")
        for name, value in said.items()
        if name not in _OWN
    ]
    rest += [joined([code(name), words.page("hidden")], " ") for name in each.left_out]
    rest += [words.page("former")] if each.former else []
    notice = [free(part) for part in (each.notice, said.get("notice_version")) if part]
    return (
        when(words, datetime.fromisoformat(said.get("original_ts") or said["ts"])),
        worded(words, "action", said["action"]),
        worded(words, "purpose", said.get("purpose")),
        joined(worded(words, "channel", channel) for channel in channels),
        "" if said.get("method") is None else code(said["method"]),
        joined(notice, " "),
        free(said.get("evidence") or ""),
        joined(rest, "<br/>"),
        code(str(each.id)),
    )


def _requests(package: AccessPackage, words: Words) -> Iterator[str]:
    rows = (
        (when(words, each.received_at), worded(words, "asked", each.right), code(each.law),
         worded(words, "request", each.state), "" if each.due_on is None else code(each.due_on.isoformat()),
         code(str(each.id)))
        for each in package.head.requests
    )  # fmt: skip
    heading = ("happened_at", "what", "law", "answer", "due_on", "id")
    yield from _table("requests", heading, rows, len(package.head.requests), words)


def _notices(package: AccessPackage, words: Words) -> Iterator[str]:
    yield paragraph(words.page("notices_intro"))
    for each in package.head.notices:
        yield f"<h3>{free(f'{each.notice} {each.version}').html}</h3>\n"
        yield paragraph(joined([words.page("stored_at"), when(words, each.stored_at)], " "))
        yield paragraph(joined(["SHA-256", code(each.sha256)], " "))
        for language, said in sorted(each.texts.items()):
            yield f'<blockquote lang="{text(language)}" dir="auto">{free(said).html}</blockquote>\n'
    if not package.head.notices:
        yield paragraph(words.page("nothing"))


def _decisions(package: AccessPackage, words: Words) -> Iterator[str]:
    def row(each: Any) -> tuple[Any, ...]:
        return (
            when(words, each.decided_at), _client(each.asked_by, words), worded(words, "purpose", each.purpose),
            worded(words, "channel", each.channel), words.page("permitted" if each.permit else "denied"),
            worded(words, "basis", each.basis),
            joined((joined([worded(words, "effect", reason.effect), code(reason.rule)], " ")
                    for reason in each.reasons), "<br/>"),
            code(str(each.id)),
        )  # fmt: skip

    yield paragraph(words.page("decisions_intro"))
    heading = ("decided_at", "who", "purpose", "channel", "answer", "basis", "rules", "id")
    yield from _long("decisions", heading, package.decisions, row, words)


def _logic(package: AccessPackage, words: Words) -> Iterator[str]:
    yield paragraph(words.page("logic_intro"))
    yield paragraph(_stated(package.head.automated, words))
    rows = ((code(each.rule), english(each.title), english(each.citation), each.times) for each in package.head.rules)
    yield from _table("logic", ("rule", "said", "citation", "times"), rows, len(package.head.rules), words)


def _reveals(package: AccessPackage, words: Words) -> Iterator[str]:
    def row(each: Any) -> tuple[Any, ...]:
        return (
            when(words, each.at), _client(each.by, words), worded(words, "purpose", each.purpose),
            worded(words, "channel", each.channel),
            joined(code(name) for name in each.fields), joined(code(name) for name in each.masked),
        )  # fmt: skip

    heading = ("happened_at", "who", "purpose", "channel", "in_plain", "masked")
    yield from _long("reveals", heading, package.reveals, row, words)


def _recipients(package: AccessPackage, words: Words) -> Iterator[str]:
    rows = (
        (_client(each.who, words) if each.name is None else free(each.name), words.of("role", each.role), each.times,
         when(words, each.first), when(words, each.last),
         joined(worded(words, "purpose", purpose) for purpose in each.purposes),
         joined(code(name) for name in each.fields))
        for each in package.head.recipients
    )  # fmt: skip
    heading = ("who", "what", "times", "first", "last", "purpose", "in_plain")
    yield from _table("recipients", heading, rows, len(package.head.recipients), words)
    if package.head.transfers:
        yield paragraph(words.page("transfers"))
        yield from listed(map(free, package.head.transfers))


def _connected(package: AccessPackage, words: Words) -> Iterator[str]:
    if package.head.systems:
        asked = (
            (code(each.system),
             joined([worded(words, "outcome", each.outcome), *([code(each.ground)] if each.ground else [])]),
             when(words, each.at))
            for each in package.head.systems
        )  # fmt: skip
        yield from _table("asked", ("who", "what", "happened_at"), asked, len(package.head.systems), words)
    rows = (
        (code(each.system), free(each.name),
         joined([code(each.media_type), f"{each.size} B",
                 words.page("too_much") if each.file is None else code(each.file)]))
        for each in package.head.connected
    )  # fmt: skip
    yield from _table("connected", ("who", "what", "said"), rows, len(package.head.connected), words)


def _sources(package: AccessPackage, words: Words) -> Iterator[str]:
    rows = (
        (words.of("origin", each.origin), free(each.who) if each.origin is Origin.DECLARED else
         _client(each.who, words), each.times or "")
        for each in package.head.sources
    )  # fmt: skip
    yield from _table("sources", ("what", "who", "times"), rows, len(package.head.sources), words)


def _retention(package: AccessPackage, words: Words) -> Iterator[str]:
    rows = (_kept(each, words) for each in package.head.retention)
    yield from _table("retention", ("what", "how_long"), rows, len(package.head.retention), words)


def _kept(each: RetentionTold, words: Words) -> tuple[Any, ...]:
    if each.until is Until.DECLARED:
        return words.of("kept", "declared"), free(each.what)
    what = words.of("kept", each.what) or worded(words, "field", each.what)
    days = [] if each.days is None else [f"({words.page('days')}: {each.days})"]
    return what, joined([words.of("until", each.until), *days], " ")


def _rights(package: AccessPackage, words: Words) -> Iterator[str]:
    yield paragraph(words.page("rights_intro"))
    yield from listed(words.of("right", right) for right in package.head.rights)


def _left_out(package: AccessPackage, words: Words) -> Iterator[str]:
    yield paragraph(words.page("left_out_intro"))
    rows = ((worded(words, "left_out", each.what), each.times) for each in package.head.left_out)
    yield from _table("left_out", ("what", "times"), rows, len(package.head.left_out), words)


def _client(actor: str, words: Words) -> Markup | str:
    return words.page("employee") if actor == STAFF else code(actor)


def _table(name: str, heading: tuple[str, ...], rows: Iterator[Any], count: int, words: Words) -> Iterator[str]:
    if count:
        yield from table(words.page(name), [words.page(column) for column in heading], rows)
    else:
        yield paragraph(joined([words.page(name), words.page("nothing")], ": "))


def _long(
    name: str, heading: tuple[str, ...], rows: Rows[Any], row: Callable[[Any], tuple[Any, ...]], words: Words
) -> Iterator[str]:
    before = max(0, len(rows) - SHOWN)
    if before:
        yield paragraph(joined([words.page("more"), f"{before}.", code(f"{name}.csv")], " "))
    yield from _table(name, heading, map(row, islice(iter(rows), before, None)), len(rows), words)


SECTIONS: Final[tuple[tuple[str, Body], ...]] = (
    ("about", _about),
    ("categories", _categories),
    ("values", _values),
    ("facts", _facts),
    ("state", _state),
    ("records", _records),
    ("notices", _notices),
    ("requests", _requests),
    ("decisions", _decisions),
    ("logic", _logic),
    ("reveals", _reveals),
    ("recipients", _recipients),
    ("connected", _connected),
    ("sources", _sources),
    ("retention", _retention),
    ("rights", _rights),
    ("left_out", _left_out),
)

_KINDS: Final = frozenset({"categories"})
_IN_FULL: Final = frozenset(
    {"values", "facts", "state", "records", "notices", "requests", "decisions", "reveals", "connected"}
)
"""What a package of kinds of data has no part of, and the other way round."""

_STYLE: Final = """
body { font: 16px/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; }
.skip { position: absolute; inset-inline-start: -999rem; } .skip:focus { inset-inline-start: 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: start; font-weight: bold; padding: .3rem 0; }
th, td { border: 1px solid #767676; padding: .2rem .5rem; text-align: start; vertical-align: top; }
th[scope=row] { font-weight: normal; } td, th, p, code { overflow-wrap: anywhere; }
blockquote { border-inline-start: .3rem solid #767676; margin-inline: 1rem; padding-inline-start: 1rem; }
@media print { body { max-width: none; margin: 0; font-size: 9pt; } nav, .skip { display: none; }
.wide { overflow: visible; } thead { display: table-header-group; } tr { break-inside: avoid; } }
"""
_HEAD: Final = """\
<!DOCTYPE html>
<html lang="{lang}" dir="{dir}">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<meta name="robots" content="noindex"/>
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""
