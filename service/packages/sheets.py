"""The package as tables for spreadsheets: CSV (RFC 4180) in UTF-8. No cell of them is taken for a formula."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from service.audit import BOM, harmless
from service.packages.domain import AccessPackage, FactsTold, document_of

Sheet = Callable[[AccessPackage], Iterator[tuple[Any, ...]]]
"""Yields the heading, then a tuple for each row."""

_RECORD: Final = (
    "ts", "original_ts", "action", "purpose", "channel", "method", "notice_version", "expires_at", "evidence",
)  # fmt: skip
"""Members of a statement that have a column of their own. The rest is one column, in JSON."""
_json: Final = msgspec.json.Encoder(order="sorted")


def sheets(package: AccessPackage) -> Mapping[str, Sheet]:
    """Return the tables of a package by the names of their files."""
    kinds = {
        "rules.csv": _rules,
        "recipients.csv": _recipients,
        "sources.csv": _sources,
        "retention.csv": _retention,
    }
    if not package.head.in_full:
        return kinds
    return {
        "values.csv": _values,
        "facts.csv": _facts,
        "state.csv": _state,
        "records.csv": _records,
        "decisions.csv": _decisions,
        "reveals.csv": _reveals,
        **kinds,
    }


def written(rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """Yield the lines of a table."""
    yield BOM
    lines = _Lines()
    writer = csv.writer(lines)
    for row in rows:
        writer.writerow([harmless(_cell(value)) for value in row])
        yield "".join(lines).encode()
        lines.clear()


class _Lines(list[str]):
    """What `csv` writes to."""

    write = list.append


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple() | list() if all(isinstance(each, str) for each in value):
            return " ".join(value)
        case _:
            return _json.encode(value).decode()


def _values(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "name", "version", "at", "until", "deleted", "opened", "value", "written_by"
    for each in package.head.values:
        kept = document_of(each.value)
        value = each.value if kept is None else f"{kept[0]}, {len(kept[1])} B"
        yield each.name, each.version, each.at, each.until, each.deleted, each.opened, value, each.written_by


def _facts(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "version", "at", "fact", "value"
    for version in package.head.facts:
        yield from ((version.version, version.at, name, value) for name, value in facts_of(version))


def facts_of(version: FactsTold) -> Iterator[tuple[str, Any]]:
    """Yield what is known, signals and registers by names of their own."""
    known: dict[str, Any] = msgspec.to_builtins(version.facts)
    signals = known.pop("signals", {})
    yield from known.items()
    yield from ((f"signals.{name}", value) for name, value in signals.items())


def _state(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "action", "purpose", "channel", "at", "expires_at", "notice_version", "record"
    for each in package.head.state:
        yield (
            each.action, each.purpose, each.channel, each.at, each.expires_at, each.notice_version, str(each.record),
        )  # fmt: skip


def _records(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "id", "received_at", *_RECORD, "notice", "former", "left_out", "rest"
    for each in package.records:
        rest = {name: value for name, value in each.said.items() if name not in _RECORD}
        said = (each.said.get(name) for name in _RECORD)
        yield str(each.id), each.received_at, *said, each.notice, each.former, each.left_out, rest or None


def _decisions(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield (
        "id", "decided_at", "at", "asked_by", "purpose", "channel", "permit", "basis", "rules", "records", "policy",
    )  # fmt: skip
    for each in package.decisions:
        rules = tuple(f"{reason.rule}:{reason.effect}" for reason in each.reasons)
        records = tuple(map(str, each.records))
        yield (
            str(each.id), each.decided_at, each.at, each.asked_by, each.purpose, each.channel, each.permit, each.basis,
            rules, records, each.policy,
        )  # fmt: skip


def _rules(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "rule", "title", "citation", "times"
    yield from (msgspec.structs.astuple(each) for each in package.head.rules)


def _reveals(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "id", "at", "by", "purpose", "channel", "fields", "masked", "decision"
    for each in package.reveals:
        yield (
            str(each.id), each.at, each.by, each.purpose, each.channel, tuple(each.fields), tuple(each.masked),
            None if each.decision is None else str(each.decision),
        )  # fmt: skip


def _recipients(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "who", "name", "role", "times", "first", "last", "purposes", "fields"
    yield from (msgspec.structs.astuple(each) for each in package.head.recipients)


def _sources(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "origin", "who", "times"
    yield from (msgspec.structs.astuple(each) for each in package.head.sources)


def _retention(package: AccessPackage) -> Iterator[tuple[Any, ...]]:
    yield "what", "until", "days"
    yield from (msgspec.structs.astuple(each) for each in package.head.retention)
