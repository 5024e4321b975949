from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID, uuid4

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from service.consent.columns import LONGEST, Chosen, Columns, MappingUnusable, Table
from service.consent.exporting import ExportRecords, Told
from service.consent.import_schemas import (
    BroughtRecord,
    ExportCursor,
    ExportCutOff,
    ExportDone,
    ExportedRecord,
    ExportedState,
    ExportedSubject,
    RecordLine,
)
from service.consent.imported import (
    AddressInRecord,
    AddressShared,
    AddressUnknown,
    ImportSummary,
    LineOutcome,
    RefusalStands,
    Understood,
)
from service.consent.importing import ImportRecords, Read
from service.consent.schemas import states
from service.consent.vocabulary import Vocabulary
from service.kernel import Caller, Clock, DomainError, SubjectId
from service.vault import CutOff, ImportDiffers, LineRefused
from service.web import pages
from service.web.auth import needs, permit
from service.web.bodies import strictly
from service.web.lines import CSV, NDJSON, LineResponse, Lines, begun, lined, told
from service.web.problems import Refusal, documented

IMPORT_STATUS: Final[Mapping[type[DomainError], int]] = {
    AddressInRecord: HTTPStatus.CONFLICT,
    AddressShared: HTTPStatus.CONFLICT,
    AddressUnknown: HTTPStatus.CONFLICT,
    MappingUnusable: HTTPStatus.CONFLICT,
    RefusalStands: HTTPStatus.CONFLICT,
}
T = TypeVar("T")

VOLENS: Final = "volens"
"""The mapping of what `exportRecords` tells."""
EXPORT: Final = "records:export"

ImportId = Annotated[
    UUID | None,
    QueryParameter(name="import", description="An id of your own for this import, under which it can go on."),
]
MappingOf = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=8_192,
        description="How to read the file: the name of a ready mapping, or a mapping in JSON (docs/imports.md).",
    ),
]
DryRun = Annotated[bool, QueryParameter(description="Try every line, and keep nothing.")]
RefusedOnly = Annotated[
    bool, QueryParameter(description="Tell only of lines of which something was refused, and the summary.")
]

Ready = Callable[[str], Columns]
"""Returns a ready mapping by its name, or raises `MappingUnusable`."""


Chunks = AsyncIterator[Sequence[bytes | None]]


class Reader(Struct, frozen=True, kw_only=True):
    """How the lines of one file are read."""

    rows: Callable[[Chunks], Chunks]
    """Puts lines together that are one."""
    read: Read
    how: bytes
    """What it goes by."""
    facts: bool = False
    """Whether it says what is known of people as well."""
    scopes: tuple[str, ...] = ()
    """What this takes besides."""


class Reading(Struct, frozen=True, kw_only=True):
    """What files are read with."""

    ready: Ready
    vocabulary: Vocabulary
    clock: Clock

    def of(self, kind: str, mapping: str | None) -> Reader:
        """Return how a file of this media type is read.

        Raises:
            MappingUnusable
        """
        how = f"{kind} {mapping or ''}".encode()
        if mapping == VOLENS and kind == NDJSON:
            return Reader(rows=_as_they_are, read=_brought, how=how, facts=True, scopes=("subjects:write",))
        if mapping == VOLENS or (mapping is not None and kind == NDJSON):
            raise MappingUnusable("a mapping of columns is for CSV, and `volens` for lines", parameters=["mapping"])
        if kind == NDJSON:
            return Reader(rows=_as_they_are, read=_line(self.vocabulary, self.clock), how=how)
        columns = None if mapping is None else _mapping(mapping, self.ready)
        table = Table(columns, self.vocabulary, self.clock)
        finds = columns is not None and columns.find is not None
        return Reader(rows=table.rows, read=table.read, how=how, scopes=("vault:lookup",) if finds else ())


class _Kind(Struct, frozen=True, kw_only=True):
    kind: str = ""


class BulkController(Controller):
    """Bring records in bulk, and take them elsewhere."""

    path = "/v1/records"
    tags = ("Records",)

    @post(
        "/import",
        operation_id="importRecords",
        opt=needs("records:write") | lined(RecordLine, RecordLine, LineOutcome, ImportSummary, CutOff, also=(CSV,)),
        responses=documented(409, 415),
        status_code=HTTPStatus.OK,
        request_max_body_size=None,
    )
    async def import_records(
        self,
        request: Request[Caller, Any, Any],
        import_records: NamedDependency[ImportRecords],
        reading: NamedDependency[Reading],
        import_id: ImportId = None,
        mapping: MappingOf = None,
        dry_run: DryRun = False,
        refused_only: RefusedOnly = False,
    ) -> Response[bytes]:
        """Store records in bulk: lines of JSON, or CSV with a mapping of its columns, of any number.

        A line of JSON is a record as `POST /v1/records` takes it; `id` may be left out, and `ts` of a refusal. What a
        file says without evidence is stored as claimed, and proves nothing. Who refused something
        is not brought back by it: such a record is left out, and its line says `refusal_stands`.

        The answer has a line for each, in their order, as soon as it is durable, and a summary at the end: without one
        it was cut off. Then send the same lines again with the same `import` and `mapping`: what was dealt with is
        skipped, and other lines than those under that id are 409 `import_differs`. Read while you send.

        A mapping that finds people by their address needs the scope `vault:lookup` besides, and `mapping=volens`, for
        what `GET /v1/records/export` gave elsewhere, `subjects:write`.
        """
        lines = Lines.of(request, longest=LONGEST, blank=True, kinds=(NDJSON, CSV))
        reader = reading.of(lines.kind, mapping)
        for scope in reader.scopes:
            permit(request.user, scope, own=False, subject=None)
        outcomes = import_records(
            reader.rows(lines.chunks()),
            reader.read,
            import_id=import_id or uuid4(),
            how=reader.how,
            facts=reader.facts,
            dry=dry_run,
            by=request.user,
        )
        return LineResponse(
            _encoded(outcomes if import_id is None else await begun(outcomes, ImportDiffers), refused_only=refused_only)
        )

    @get(
        "/export",
        operation_id="exportRecords",
        opt=needs(EXPORT)
        | told(ExportedSubject, ExportedRecord, ExportedState, ExportCursor, ExportDone, ExportCutOff),
        responses=documented(409),
    )
    async def export_records(
        self,
        request: Request[Caller, Any, Any],
        export_records: NamedDependency[ExportRecords],
        cursor: pages.Cursor = None,
    ) -> Response[bytes]:
        """Read everybody with facts, records and state, as lines of JSON: to take them elsewhere, or to keep them.

        Of each person there is a line of kind `subject`, one of kind `record` for each record, oldest first, and one of
        kind `state`. Lines of kind `cursor` stand between people: with the last of them an export that was cut off goes
        on. It has come to its end with the line of kind `done`. Values in the vault are not among them, and of who was
        erased there is no more than the id and the erasure. Another Volens takes the lines with `mapping=volens`.
        """
        after = pages.position_in(cursor, str)
        people = export_records(after=None if after is None else SubjectId(after), by=request.user)
        return LineResponse(shown(people))


def _mapping(text: str, ready: Ready) -> Columns:
    """Raises: MappingUnusable"""
    chosen = Chosen(use=text)
    if text.startswith("{"):
        try:
            chosen = strictly(text.encode(), Chosen)
        except Refusal as error:
            [fault] = error.faults
            raise MappingUnusable(f"{fault.pointer or 'the mapping'}: {fault.detail}", parameters=["mapping"]) from None
    return chosen.over(Columns() if chosen.use is None else ready(chosen.use))


def _as_they_are(chunks: Chunks) -> Chunks:
    return chunks


def _line(vocabulary: Vocabulary, clock: Clock) -> Read:
    def read(sent: bytes) -> Understood:
        line = _strictly(sent, RecordLine)
        if line.ts is None and line.action not in vocabulary.refusals:
            raise LineRefused("/ts: it doesn't say when")
        return Understood(claims=(line.to_claim(clock()),))

    return read


def _brought(sent: bytes) -> Understood:
    try:
        kind = msgspec.json.decode(sent, type=_Kind).kind
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise LineRefused("not one well-formed JSON object") from None
    if kind == "record":
        return Understood(claims=(_strictly(sent, BroughtRecord).to_claim(),))
    if kind == "subject":
        return _strictly(sent, ExportedSubject).to_understood()
    if kind in ("state", "cursor", "done"):
        return Understood()
    raise LineRefused("/kind: no line of an export")


def _strictly(sent: bytes, model: type[T]) -> T:
    try:
        return strictly(sent, model)
    except Refusal as error:
        [fault] = error.faults
        raise LineRefused(f"{fault.pointer or 'the line'}: {fault.detail}") from None


async def _encoded(outcomes: AsyncIterator[Any], *, refused_only: bool) -> AsyncGenerator[bytes]:
    encoder = msgspec.json.Encoder()
    try:
        async for each in outcomes:
            if isinstance(each, ImportSummary):
                yield encoder.encode(each) + b"\n"
            elif shown := [done for done in each if not refused_only or done.code is not None]:
                yield encoder.encode_lines(shown)
    except DomainError as error:  # the status was sent with the first line
        yield encoder.encode(CutOff(code=error.code, detail=str(error))) + b"\n"


async def shown(people: AsyncIterator[Any]) -> AsyncGenerator[bytes]:
    encoder = msgspec.json.Encoder()
    subjects = records = 0
    try:
        async for page in people:
            lines: list[Any] = []
            for each in page:
                lines += _lines_of(each)
                subjects += 1
                records += len(each.records)
            if page:  # all of it may have been erased at this moment
                lines.append(ExportCursor(cursor=pages.cursor_after(page[-1].subject)))
                yield encoder.encode_lines(lines)
        yield encoder.encode(ExportDone(subjects=subjects, records=records)) + b"\n"
    except DomainError as error:
        yield encoder.encode(ExportCutOff(code=error.code, detail=str(error))) + b"\n"


def _lines_of(each: Told) -> list[Any]:
    known = each.known
    facts = known.facts if known.version else msgspec.UNSET
    lines: list[Any] = [ExportedSubject(subject=each.subject, facts=facts, flags=known.flags)]
    lines += [ExportedRecord.of(record.of(each.subject)) for record in each.records]
    if each.state is not None:
        lines.append(ExportedState(subject=each.subject, state=states(each.state.acts)))
    return lines
