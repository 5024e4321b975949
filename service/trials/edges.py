"""What facts can't show: they know months, minutes, ages and days by edges (docs/facts.md).

A table that measures by another number would be asked about facts that don't tell it apart, and answer wrong.
Months are told by the edges of the laws of a place alone, so that facts of the log show even fewer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from msgspec import Struct

from service.decisions import Bands, PolicyData, measured, month_edges

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
_STATED: Final = ("bands", "terms", "measures")
"""Tables that facts are stated with, before any rule sees them."""
_FOLDED: Final = ("actions", "methods")
"""Tables by which records become states when they arrive."""
UNJUDGED: Final = ("deadlines", "keeping", "rights")
"""Tables that no decision rests on."""
_DAY: Final = 24 * 60
_OF_MONTHS: Final = re.compile(r"\b(months_past|active|active_within|used)\b")
"""The fact, and the helpers of regimes through which it is asked for."""


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
        if path[0] in {*_STATED, *_FOLDED, *UNJUDGED}:
            continue
        if isinstance(value, str) and _is_day(value):
            if value not in days:
                yield _unseen(path, sorted(days))
        elif isinstance(value, int) and not isinstance(value, bool) and (name := _measure(path)) is not None:
            edges = getattr(bands, name)
            if (value % _DAY if name == "minutes" else value) not in edges:
                yield _unseen(path, edges)


def untold(now: PolicyData, then: PolicyData) -> Iterator[Unseen]:
    """Yield the periods that some place measures `now`, and that its facts of `then` don't tell apart."""
    found: dict[Path, Unseen] = {}
    for place in now.places:
        told = month_edges(then, (place,))
        for span, edges in month_edges(now, (place,)).items():
            known = told.get(span, ())
            for number in set(edges).difference(known):
                for path in _periods(now, place, span, number):
                    found.setdefault(path, _unseen(path, known))
    yield from found.values()


def measures_months(rego: str) -> bool:
    """Whether a file of Rego has a word by which rules compare months. What it compares them with is in no table."""
    return any(_OF_MONTHS.search(line.partition("#")[0]) for line in rego.splitlines())


def restated(candidate: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changed tables with which facts are stated: facts of before don't show a change of theirs."""
    return _changed(_STATED, candidate, base)


def refolded(candidate: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changed tables by which states are folded: no state of today shows a change of theirs."""
    return _changed(_FOLDED, candidate, base)


def _periods(data: PolicyData, place: str, span: str, number: int) -> list[Path]:
    """Return where the number stands by which a span is measured; the whole table for a policy that doesn't say."""
    named = [each.pointer for each in measured(data, place) if (each.span, each.months) == (span, number)]
    return [("periods", *pointer.split("/")[1:]) for pointer in named] or [("periods",)]


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
