"""What facts can't show: they know months, minutes, ages and days by edges (docs/facts.md).

A table that measures by another number would be asked about facts that don't tell it apart, and answer wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from msgspec import Struct

from service.decisions import Bands

Path = tuple[str, ...]

_MEASURES: Final[Sequence[tuple[Path, str]]] = (
    (("periods", "reask"), "waits"),
    (("periods",), "months"),
    (("ages",), "ages"),
    (("consents", "*", "age"), "ages"),
    (("states", "teens"), "ages"),
    (("states", "laws", "*", "teens"), "ages"),
    (("windows", "*", "days"), "minutes"),
    (("windows", "*", "*", "days"), "minutes"),
)
"""By which edges the numbers below a place in the tables are measured; the first that fits. `*` is any name."""
_STATED: Final = ("bands", "terms")
"""Tables that facts are stated with, before any rule sees them."""
_FOLDED: Final = ("actions", "methods")
"""Tables by which records become states when they arrive."""
_DAY: Final = 24 * 60


class Unseen(Struct, frozen=True, kw_only=True):
    """A value in the tables that facts don't tell apart from its neighbours."""

    table: str
    pointer: str
    known: str
    """The edges that there are."""


def unseen(tables: Mapping[str, Any], bands: Bands) -> Iterator[Unseen]:
    """Yield what the tables measure by and `bands` don't have."""
    days = {day.isoformat() for day in bands.in_force} | {date.min.isoformat()}
    for path, value in _leaves(tables, ()):
        if path[0] in {*_STATED, *_FOLDED, "deadlines"}:
            continue
        if isinstance(value, str) and _is_day(value):
            if value not in days:
                yield _unseen(path, sorted(days))
        elif isinstance(value, int) and not isinstance(value, bool) and (name := _measure(path)) is not None:
            edges = getattr(bands, name)
            if (value % _DAY if name == "minutes" else value) not in edges:
                yield _unseen(path, edges)


def restated(candidate: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changed tables with which facts are stated: facts of before don't show a change of theirs."""
    return _changed(_STATED, candidate, base)


def refolded(candidate: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changed tables by which states are folded: no state of today shows a change of theirs."""
    return _changed(_FOLDED, candidate, base)


def _changed(names: Sequence[str], candidate: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in names if name in candidate and candidate[name] != base[name])


def _measure(path: Path) -> str | None:
    for place, name in _MEASURES:
        if len(path) >= len(place) and all(step in ("*", given) for step, given in zip(place, path, strict=False)):
            return name
    return None


def _leaves(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _leaves(value, (*path, str(number)))
    else:
        yield path, node


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-01-01")


def _unseen(path: Path, edges: Sequence[Any]) -> Unseen:
    steps = (step.replace("~", "~0").replace("/", "~1") for step in path)
    return Unseen(table=path[0], pointer="/" + "/".join(steps), known=", ".join(map(str, edges)))
