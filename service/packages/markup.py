"""HTML that nothing which was stored can break out of."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from service.packages.wording import Words

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\uffff"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Characters that nobody sees, and of which some turn around what stands beside them."""


class Markup(Struct, frozen=True):
    """HTML that was made here. Anything else is text."""

    html: str


def text(value: str) -> str:
    """Return HTML that shows a text as it is; what can't be seen as its number."""
    return html.escape(_UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", value))


def free(value: str) -> Markup:
    """Return a text that somebody wrote, in whatever direction: it turns nothing around that stands beside it."""
    broken = "<br/>".join(text(line) for line in value.split("\n"))
    return Markup(f'<bdi dir="auto">{broken}</bdi>')


def code(value: str) -> Markup:
    """Return an id or another word for machines."""
    return Markup(f'<code dir="ltr">{text(value)}</code>')


def english(value: str) -> Markup:
    return Markup(f'<span lang="en" dir="ltr">{text(value)}</span>')


def worded(words: Words, kind: str, value: str | None) -> Markup | str:
    """Return the words for a code, else the code; nothing for nothing."""
    if value is None:
        return ""
    said = words.of(kind, value)
    return code(value) if said is None else said


def joined(parts: Iterable[Any], between: str = ", ") -> Markup:
    return Markup(between.join(shown(part) for part in parts))


def shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case Markup():
            return value.html
        case str():
            return text(value)
        case datetime():
            raise TypeError("say an instant in words first")
        case _:
            return text(str(value))


def when(words: Words, at: datetime | None) -> Markup:
    """Return an instant in words, and for machines."""
    if at is None:
        return Markup("")
    iso = at.isoformat().replace("+00:00", "Z")
    return Markup(f'<time datetime="{iso}">{text(words.when(at))}</time>')


def table(caption: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a table, row by row. The first cell of each is its heading."""
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in heading)
    yield f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
    yield f"<caption>{text(caption)}</caption>\n<thead><tr>{columns}</tr></thead>\n<tbody>\n"
    for first, *rest in rows:
        cells = "".join(f"<td>{shown(cell)}</td>" for cell in rest)
        yield f'<tr><th scope="row">{shown(first)}</th>{cells}</tr>\n'
    yield "</tbody></table></div>\n"


def listed(items: Iterable[Any]) -> Iterator[str]:
    yield "<ul>\n"
    for item in items:
        yield f"<li>{shown(item)}</li>\n"
    yield "</ul>\n"


def paragraph(said: Any) -> str:
    return f"<p>{shown(said)}</p>\n"


def section(name: str, title: str, body: Iterable[str]) -> Iterator[str]:
    yield f'<section aria-labelledby="{name}">\n<h2 id="{name}">{text(title)}</h2>\n'
    yield from body
    yield "</section>\n"
