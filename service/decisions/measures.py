"""By which months a situation is told: those that the laws of its places measure by (`policies/data/measures.json`).

What none of them measures isn't told at all, and undefined is never recent.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from service.decisions.policy import PolicyData

NOWHERE: Final = "ZZ"
INTERACTION: Final = "interaction"
SENT: Final = "sent"


class Measured(Struct, frozen=True, kw_only=True):
    """A period that a law of some place measures by."""

    pointer: str
    """Where it stands in the table `periods`."""
    span: str
    """What is measured: the time since an action, since the last `interaction`, or since something was `sent`."""
    months: int


def heard(places: Mapping[str, str], data: PolicyData) -> tuple[str, ...]:
    """Return the places whose laws may have a say, out of those that facts name; which of them do is for the policy."""
    brought = (data.measures.sender,) if data.measures is not None and "sender" in places else ()
    return (*places.values(), *brought)


@lru_cache(maxsize=4_096)
def month_edges(data: PolicyData, places: tuple[str, ...], own: int | None = None) -> Mapping[str, tuple[int, ...]]:
    """Return the edges of each span that is told; `own` is the tenant's, which is measured everywhere.

    A policy of before there was the table tells every span by every edge.
    """
    if data.measures is None:
        return dict.fromkeys((INTERACTION, SENT, *data.bands.spans["months_past"]), data.bands.months)
    edges: dict[str, set[int]] = defaultdict(set)
    for place in places:
        for each in measured(data, place):
            edges[each.span].add(each.months)
    if own is not None:
        for span in (INTERACTION, *data.bands.spans["months_past"]):
            edges[span].add(own)
    return {span: tuple(sorted(edges[span])) for span in edges}


def measured(data: PolicyData, place: str) -> Iterator[Measured]:
    """Yield what the laws of a place measure. One without an entry has its country's, or those of an unknown one."""
    if data.measures is None:
        return
    for regime in _entry(data, place).get("regimes", ()):
        for pointer, spans in data.measures.months.get(regime, {}).items():
            if (number := _at(data.periods, pointer)) is not None:
                yield from (Measured(pointer=pointer, span=span, months=number) for span in spans)


def _entry(data: PolicyData, place: str) -> Mapping[str, Any]:
    for code in (place, place[:2], NOWHERE):
        if code in data.places:
            entry: Mapping[str, Any] = data.places[code]
            return entry
    return {}


def _at(table: Mapping[str, Any], pointer: str) -> int | None:
    node: Any = table
    for step in pointer.split("/")[1:]:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node if isinstance(node, int) else None
