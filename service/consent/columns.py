"""Rows of CSV → records, by a mapping: data that says which column is what.

A row can say several things, or nothing: each template of the mapping whose conditions hold makes a record. Cells are
compared without case and the blanks around them. A cell that holds an e-mail address goes nowhere but into the look-up
of the vault.
"""

import csv
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from service.consent.domain import Statement
from service.consent.imported import AddressInRecord, Claim, Understood, as_claimed
from service.consent.vocabulary import Vocabulary
from service.kernel import Clock, DomainError, IdentifierId, SubjectId, SubjectRef
from service.vault import LineRefused

Column = Annotated[str, Meta(min_length=1, max_length=200)]
_MEMBERS: Final = frozenset(Statement.__struct_fields__)
_TIMES: Final = frozenset({"ts", "expires_at", "original_ts"})
_ADDRESS: Final = re.compile(r"[^\s@]@[^\s@]")
_ANY: Final = ("*",)
_STAND_IN: Final[Mapping[str, Any]] = {"ts": "2000-01-01T00:00:00Z", "channel": "email", "action": "opt_in"}
"""In the place of what columns have, where constants are looked at."""
LONGEST: Final = 64 * 1024
"""Bytes of a row."""
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*")
"""No number, which would be read as seconds since 1970."""
_A_DAY: Final = datetime(2011, 10, 12, 13, 14, 15, tzinfo=UTC)
"""What is written and read again, to see if a form of times can be used."""


class _Row(Statement, frozen=True, kw_only=True):
    """What a row may say: ids of an address and of a person, and neither themselves."""

    address: IdentifierId | None = None
    subject_ref: SubjectRef | None = None


class MappingUnusable(DomainError):
    """The mapping contradicts itself, or can't be used for what was sent."""

    code = "mapping_unusable"


class Find(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which value in the vault somebody is found."""

    field: Annotated[str, Meta(min_length=1, max_length=63)]
    column: Column


class Template(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A record that a row may state."""

    when: dict[Column, tuple[str, ...]] = {}
    """Cells that each column must have one of: `*` is any that isn't empty. An absent column is empty."""
    set: dict[str, Any] = {}
    """Members of the record that are always the same."""
    take: dict[str, Column] = {}
    """Members of the record, each with the column that has it. An empty cell says nothing."""


class Columns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which column of a file is what."""

    title: str = ""
    sources: tuple[str, ...] = ()
    """The pages that document the columns."""
    subject: Column | None = None
    """The column with the tenant's own ids of people, which are no addresses."""
    find: Find | None = None
    """In its place, what people are found by."""
    id: Column | None = None
    """The column with ids of records, which are UUIDs."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    times: tuple[str, ...] = ()
    """How times are written, as `strptime` has it. What has none of these forms is read as RFC 3339."""
    time_zone: str = "UTC"
    """Of times without one."""
    records: tuple[Template, ...] = ()

    def check(self) -> None:
        """Raises: MappingUnusable"""
        if (self.subject is None) == (self.find is None):
            raise MappingUnusable("name one of `subject` and `find`: who the rows are about", parameters=["mapping"])
        named = {name for each in self.records for name in (*each.set, *each.take)}
        if not self.records or (unknown := named - _MEMBERS):
            what = f"`{min(unknown)}` is no member of a record" if self.records else "it makes no record"
            raise MappingUnusable(what, parameters=["mapping"])
        for each in self.records:
            _refuse_constants({**_STAND_IN, **each.set})
        if self.delimiter in '" \r\n':
            raise MappingUnusable("this can't stand between cells", parameters=["mapping"])
        if not all(map(_tells_a_day, self.times)):
            raise MappingUnusable("a form of times can't be read, or tells no day", parameters=["mapping"])
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise MappingUnusable("there is no such time zone", parameters=["mapping"]) from None

    @property
    def of_people(self) -> set[str]:
        """The columns that say who it is."""
        return {name for name in (self.subject, self.find.column if self.find else None) if name is not None}

    @property
    def used(self) -> set[str]:
        """The columns that are read."""
        of_records = {name for each in self.records for name in (*each.when, *each.take.values())}
        return self.of_people | of_records | ({self.id} if self.id is not None else set())


def _tells_a_day(form: str) -> bool:
    try:
        return datetime.strptime(_A_DAY.strftime(form), form).date() == _A_DAY.date()  # noqa: DTZ007, a day is enough
    except (ValueError, re.error):
        return False


def _refuse_constants(said: Mapping[str, Any]) -> None:
    """Raises: MappingUnusable"""
    try:
        msgspec.convert(said, _Row, strict=False)
    except msgspec.ValidationError as error:
        raise MappingUnusable(_fault(str(error)), parameters=["mapping"]) from None
    if not all(isinstance(said[name], str) and _INSTANT.fullmatch(said[name]) for name in _TIMES & said.keys()):
        raise MappingUnusable("a time is written as in RFC 3339, with its offset", parameters=["mapping"])
    texts = [text for value in said.values() for text in (value if isinstance(value, list) else [value])]
    if any(isinstance(text, str) and _ADDRESS.search(text) for text in texts):
        raise MappingUnusable("a record holds no e-mail address", parameters=["mapping"])


class Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping as it is asked for: a ready one and what is different, or one of the sender's own."""

    use: str | None = None
    """The name of a ready mapping."""
    subject: Column | None = None
    find: Find | None = None
    id: Column | None = None
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    times: tuple[str, ...] | None = None
    time_zone: str | None = None
    set: dict[str, Any] = {}
    """Members of every record that the file states, such as `evidence`, `notice_version` or `purpose`."""
    records: tuple[Template, ...] | None = None

    def over(self, ready: Columns) -> Columns:
        """Raises: MappingUnusable"""
        said = {name: getattr(self, name) for name in ("id", "delimiter", "times", "time_zone", "records")}
        changed = {name: value for name, value in said.items() if value is not None}
        if self.subject is not None or self.find is not None:
            changed |= {"subject": self.subject, "find": self.find}
        mapping = replace(ready, **changed)
        records = tuple(replace(each, set={**each.set, **self.set}) for each in mapping.records)
        mapping = replace(mapping, records=records)
        mapping.check()
        return mapping


def own_columns(header: Sequence[str]) -> Columns:
    """Return the mapping of a file whose columns are named like the members of a record.

    Raises:
        LineRefused: one isn't.
    """
    for name in header:
        if name not in _MEMBERS and name not in ("id", "subject"):
            raise LineRefused("a column is no member of a record: say by a mapping what it is")
    take = {name: name for name in header if name in _MEMBERS}
    return Columns(subject="subject", id="id" if "id" in header else None, records=(Template(take=take),))


class Table:
    """A file of rows, the first of which names the columns."""

    def __init__(self, mapping: Columns | None, vocabulary: Vocabulary, clock: Clock) -> None:
        """Without a `mapping` the columns are named like the members of a record."""
        self._mapping = mapping
        self._refusals = vocabulary.refusals
        self._clock = clock
        self._zone = UTC if mapping is None else ZoneInfo(mapping.time_zone)
        self._header: list[str] | None = None
        self._twice: set[str] = set()

    async def rows(self, chunks: AsyncIterator[Sequence[bytes | None]]) -> AsyncIterator[Sequence[bytes | None]]:
        """Yield rows as they come: one that has a line break within quotes is one row, and ``None`` if it is too long.

        Behind a line that is too long itself all are ``None``: it may end within quotes, and what a cell holds must
        not pass for rows.
        """
        open_, size, lost = list[bytes](), 0, False
        async for chunk in chunks:
            rows: list[bytes | None] = []
            for line in chunk:
                if lost or line is None:
                    size, lost = 0, True
                    rows.append(None)
                    continue
                within = size > 0
                size += len(line) + 1
                if size - 1 <= LONGEST:
                    open_.append(line)
                if not _goes_on(line, self._delimiter, within=within):
                    rows.append(b"\n".join(open_) if size - 1 <= LONGEST else None)
                    open_, size = [], 0
            if self._header is None and (first := next((each for each in rows if each != b""), b"")) != b"":
                self._head(first)
            if rows:
                yield rows
        if size:
            yield [None]

    def _head(self, first: bytes | None) -> None:
        try:
            text = b"" if first is None else first.removeprefix(b"\xef\xbb\xbf")
            self._header = [name.strip() for name in _cells(text, self._delimiter)]
        except LineRefused:
            self._header = []
        self._twice = {name for name, times in Counter(self._header).items() if times > 1}

    @property
    def _delimiter(self) -> str:
        return "," if self._mapping is None else self._mapping.delimiter

    def read(self, row: bytes) -> Understood:
        """Return what a row says.

        Raises:
            LineRefused, AddressInRecord
        """
        header = self._header or []
        cells = [cell.strip() for cell in _cells(row.removeprefix(b"\xef\xbb\xbf"), self._delimiter)]
        if cells == header:
            return Understood()
        if len(cells) != len(header):
            raise LineRefused(f"{len(cells)} cells, and {len(header)} columns")
        mapping = self._mapping or own_columns(header)
        if mapping.of_people.isdisjoint(header):
            raise LineRefused("no column says who it is, by this mapping")
        if self._twice and self._twice & mapping.used:
            raise LineRefused("a column that is read stands there twice")
        said = dict(zip(header, cells, strict=True))
        stated = [self._statement(each, said, mapping) for each in mapping.records if _holds(each.when, said)]
        if not stated:
            return Understood()
        subject, find = _who(mapping, said)
        record_id = _id(mapping, said) if len(stated) == 1 else None
        return Understood(
            claims=[
                Claim(id=record_id, subject=subject, find=find, statement=as_claimed(statement), dated=dated)
                for statement, dated in stated
            ]
        )

    def _statement(self, template: Template, said: Mapping[str, str], mapping: Columns) -> tuple[Statement, bool]:
        words: dict[str, Any] = dict(template.set)
        for member, column in template.take.items():
            if not (cell := said.get(column, "")):
                continue
            if _ADDRESS.search(cell):
                raise AddressInRecord(f"`{member}` would hold an e-mail address")
            words[member] = self._time(member, cell, mapping) if member in _TIMES else cell
        dated = "ts" in words
        if not dated:
            if words.get("action") not in self._refusals:
                raise LineRefused("/ts: it doesn't say when")
            words["ts"] = self._clock()
        try:
            row = msgspec.convert(words, _Row, strict=False)
        except msgspec.ValidationError as error:
            raise LineRefused(_fault(str(error))) from None
        return Statement(**{name: getattr(row, name) for name in Statement.__struct_fields__}), dated

    def _time(self, member: str, cell: str, mapping: Columns) -> datetime:
        at = None
        for form in mapping.times:
            try:
                at = datetime.strptime(cell, form)  # noqa: DTZ007, the zone follows
                break
            except ValueError:
                continue
        try:
            at = at or datetime.fromisoformat(cell)
        except ValueError:
            raise LineRefused(f"/{member}: no time as the mapping has them") from None
        try:
            return (at if at.tzinfo is not None else at.replace(tzinfo=self._zone)).astimezone(UTC)
        except OverflowError:
            raise LineRefused(f"/{member}: outside the calendar of UTC") from None


def _goes_on(line: bytes, delimiter: str, *, within: bool) -> bool:
    """Return whether a line ends within quotes; `within` says that it begins there."""
    if b'"' not in line:
        return within
    text = ('"' if within else "") + line.decode(errors="replace").replace("\r", " ")
    return len(list(csv.reader([f"{text}\n", "next"], delimiter=delimiter))) == 1


def _cells(row: bytes, delimiter: str) -> list[str]:
    try:
        text = row.decode()
        if "\0" in text:
            raise LineRefused("it contains U+0000")
        rows = list(csv.reader([f"{line}\n" for line in text.split("\n")], delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        raise LineRefused("not UTF-8") from None
    except csv.Error:
        raise LineRefused("not well-formed CSV") from None
    return [cell for each in rows for cell in each]


def _holds(when: Mapping[str, Iterable[str]], said: Mapping[str, str]) -> bool:
    return all(
        bool(said.get(column, ""))
        if tuple(wanted) == _ANY
        else said.get(column, "").casefold() in map(str.casefold, wanted)
        for column, wanted in when.items()
    )


def _who(mapping: Columns, said: Mapping[str, str]) -> tuple[SubjectId | None, tuple[str, Any] | None]:
    column = mapping.subject or (mapping.find.column if mapping.find else "")
    if column not in said:
        raise LineRefused("the file has no column that says who it is about")
    if not (cell := said[column]):
        raise LineRefused("it doesn't say who it is about")
    if mapping.find is not None:
        return None, (mapping.find.field, cell)
    try:
        return SubjectId(msgspec.convert(cell, SubjectRef)), None
    except msgspec.ValidationError:
        raise LineRefused("/subject: no id of a person, which has letters, digits, `.`, `_`, `:` and `-`") from None


def _id(mapping: Columns, said: Mapping[str, str]) -> UUID | None:
    cell = said.get(mapping.id or "", "")
    try:
        return msgspec.convert(cell, UUID) if cell else None
    except msgspec.ValidationError:
        raise LineRefused("/id: no UUID") from None


def _fault(message: str) -> str:
    """Return what is wrong without what was written: msgspec names the place at the end, and may quote a value."""
    what, _, place = message.partition(" - at `$")
    where = place.rstrip("`").replace(".", "/") or "the row"
    return f"{where}: {'no word that there is' if 'enum' in what else what}"
