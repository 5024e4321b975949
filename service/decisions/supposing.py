"""What there is to suppose: facts that nobody told, by the schema of the facts, and values that they could have.

Nothing here knows what a fact means. Signals and flags are left alone: one that is missing is false, not unknown
(docs/facts.md). So are refusals: what a refusal doesn't say makes it wider, and is nobody's way to a permit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.decisions.bands import floor
from service.decisions.policy import Policy

Path = tuple[str | int, ...]

_TUESDAY: Final = 2
_NOON: Final = 12 * 60
_OF_TIME: Final = frozenset(
    {"after_reassignment", "days60", "expired", "expires", "future", "hours_open", "incentive", "minutes5", "several"}
)
"""Members of an act that are false when they are missing, not unknown."""
_BINDING: Final = frozenset({"action", "channel", "rank", "person"})
"""Members that say which act it is, and whose."""

_canonical: Final = msgspec.json.Encoder(order="sorted")


class Supposed(Struct, frozen=True, kw_only=True):
    """One fact, supposed to have a value."""

    name: str
    """As docs/facts.md calls it, with the position of the record instead of that of its act."""
    path: Path
    value: Any
    told: Any
    """What is shown of `value`."""


def suppose(facts: Mapping[str, Any], supposed: Iterable[Supposed]) -> bytes:
    """Return canonical facts in which all of `supposed` are so."""
    changed: Any = dict(facts)
    for each in supposed:
        changed = _with(changed, each.path, each.value)
    return _canonical.encode(changed)


def suppositions(
    facts: Mapping[str, Any], schema: Mapping[str, Any], policy: Policy, decisive: Sequence[int], records: Sequence[int]
) -> Iterator[Supposed]:
    """Yield what could be supposed about `facts`, the acts that decided before the others.

    `records` are the positions of the records behind the acts.
    """
    known = schema["properties"]
    for group in ("context", "subject"):
        for path, value in _values(known[group], (group,), policy):
            if not _has(facts, path):
                yield Supposed(name=".".join(path), path=path, value=value, told=value)
    if facts["clock"].get("zone_known") is False:
        yield _hour(facts["clock"], policy)
    acts = facts["acts"]
    refusals = policy.data.actions["refusals"]
    for act in dict.fromkeys((*decisive, *range(len(acts)))):
        if acts[act]["action"] in refusals:
            continue
        for path, value in _values(known["acts"]["items"], (), policy, skip=_OF_TIME | _BINDING):
            if not _has(acts[act], path):
                name = ".".join((f"records[{records[act]}]", *path))
                yield Supposed(name=name, path=("acts", act, *path), value=value, told=value)


def _values(
    schema: Mapping[str, Any], path: tuple[str, ...], policy: Policy, *, skip: frozenset[str] = frozenset()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the facts below a part of the schema, each with every value that a rule may tell apart."""
    if schema["type"] == "object":
        for name, member in schema["properties"].items():
            if name not in skip:
                yield from _values(member, (*path, name), policy)
        return
    for value in _told_apart(schema, path[-1], policy):
        yield path, value


def _told_apart(schema: Mapping[str, Any], name: str, policy: Policy) -> Iterable[Any]:
    data = policy.data
    terms = sorted(data.terms.get(name, ()))
    ends: Mapping[str, tuple[int, ...]] = {"age": data.bands.ages, "months_past": data.bands.months}
    match schema["type"]:
        case "boolean":
            return (True, False)
        case "integer":
            return (ends[name][-1], 0) if name in ends else ()
        case "array":
            return (terms,) if terms else ()
        case _ if name == "method":
            return sorted({*data.methods["classes"].values(), *data.methods["prefixes"].values()})
        case _:
            return list(schema.get("enum", terms))


def _hour(clock: Mapping[str, Any], policy: Policy) -> Supposed:
    """An hour of a weekday, for one whose time zone nobody knows."""
    there = {"weekday": _TUESDAY, "minute": floor(policy.data.bands.minutes, _NOON), "holiday": False}
    return Supposed(
        name="clock.local",
        path=("clock",),
        value={**clock, "zone_known": True, "local": [there]},
        told=[there],
    )


def _has(node: Any, path: Path) -> bool:
    for step in path:
        if step not in node:
            return False
        node = node[step]
    return True


def _with(node: Any, path: Path, value: Any) -> Any:
    """Return a copy of `node` that has `value` at `path`."""
    if not path:
        return value
    step, *rest = path
    if isinstance(step, int):
        return [_with(each, tuple(rest), value) if place == step else each for place, each in enumerate(node)]
    return {**node, step: _with(node.get(step, {}), tuple(rest), value)}
