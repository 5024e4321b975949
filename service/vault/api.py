import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import msgspec
from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from service.kernel import Caller, DomainError, SubjectId
from service.vault.domain import SubjectErased, Unreadable
from service.vault.fields import BUILT_IN, FieldRedefined, FieldUnknown, FieldUnusable
from service.vault.importing import CutOff, Done, ImportDiffers, ImportValues, Line, LineRefused, Summary
from service.vault.lookup import Lookup
from service.vault.opening import FieldsOf
from service.vault.schemas import (
    FieldPut,
    FieldsView,
    FieldView,
    FoundView,
    LookupCreate,
    MaskedView,
    ValuePut,
    ValuesView,
    VersionView,
    WrittenView,
)
from service.vault.usecases import DeleteValue, PutField, PutValue, ReadValues
from service.vault.values import FieldNotIndexed, Suppressed, TooManyLookups, ValueMoved, ValueRefused, ValueUnknown
from service.vault.writing import ImportMoved
from service.web.auth import needs, permit
from service.web.bodies import StrictBody, strictly
from service.web.faults import fault_in_body
from service.web.lines import LineResponse, Lines, begun, lined
from service.web.problems import Refusal, documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    FieldNotIndexed: HTTPStatus.CONFLICT,
    FieldRedefined: HTTPStatus.CONFLICT,
    FieldUnknown: HTTPStatus.NOT_FOUND,
    FieldUnusable: HTTPStatus.CONFLICT,
    SubjectErased: HTTPStatus.GONE,
    ImportDiffers: HTTPStatus.CONFLICT,
    ImportMoved: HTTPStatus.CONFLICT,
    LineRefused: HTTPStatus.BAD_REQUEST,
    Suppressed: HTTPStatus.CONFLICT,
    TooManyLookups: HTTPStatus.TOO_MANY_REQUESTS,
    Unreadable: HTTPStatus.INTERNAL_SERVER_ERROR,
    ValueMoved: HTTPStatus.PRECONDITION_FAILED,
    ValueRefused: HTTPStatus.BAD_REQUEST,
    ValueUnknown: HTTPStatus.NOT_FOUND,
}

OFFICER: Final = "vault:officer"

SubjectPath = Annotated[
    str,
    PathParameter(pattern=r"^[A-Za-z0-9._:-]{1,128}$(?!\n)", description="The tenant's own opaque id of the person."),
]
ValuePath = Annotated[
    str,
    PathParameter(
        pattern=r"^[a-z][a-z0-9_]{0,62}(#[a-z0-9][a-z0-9_-]{0,62})?$(?!\n)",
        description="A field, and perhaps a label after `#` (in a path `%23`): `email`, `email%23work`.",
    ),
]
FieldPath = Annotated[
    str, PathParameter(pattern=r"^[a-z][a-z0-9_]{0,62}$(?!\n)", description="The name of the field: `email`.")
]
IfMatch = Annotated[
    str,
    HeaderParameter(name="If-Match", description="The `ETag` of the version that this replaces, or `*` for any."),
]
Versions = Annotated[
    bool, QueryParameter(description="Also when each version was written, and by whom. Needs `vault:officer`.")
]
ImportId = Annotated[
    UUID | None,
    QueryParameter(name="import", description="An id of your own for this import, under which it can go on."),
]
LONGEST: Final = 2 * 1024 * 1024
"""Bytes of a line of an import: a document of a mebibyte in base64, and what stands around it."""
RefusedOnly = Annotated[bool, QueryParameter(description="Tell of refused lines only, and the summary.")]
_TAG: Final = re.compile(r'"([1-9][0-9]{0,8})"')


def expected(if_match: str) -> frozenset[int] | None:
    """Return the versions that a condition allows; empty for any. What is no tag of ours matches none."""
    if not if_match:
        return None
    tags = [tag.strip() for tag in if_match.split(",")]
    if "*" in tags:
        return frozenset()
    return frozenset(int(ours[1]) for tag in tags if (ours := _TAG.fullmatch(tag))) or frozenset({0})


async def found(lookup: Lookup, caller: Caller, body: Any) -> FoundView:
    """Answer a lookup: what `POST /v1/vault/lookup` is, in front of Litestar and within."""
    wanted = strictly(body, LookupCreate)
    try:
        return FoundView(subjects=list(await lookup(wanted.field, wanted.value, by=caller)))
    except TooManyLookups as error:
        raise Refusal("too_many_requests", headers={"retry-after": str(error.details["after"])}) from None


async def stored(
    put_value: PutValue, caller: Caller, body: Any, *, subject: str, field: str, if_match: str = ""
) -> Response[WrittenView]:
    """Answer a write: what `PUT /v1/vault/{subject}/{field}` is, in front of Litestar and within."""
    wanted = strictly(body, ValuePut)
    if wanted.reenrol:
        permit(caller, OFFICER, own=False, subject=None)
    written = await put_value(
        SubjectId(subject), field, wanted.value, by=caller, expected=expected(if_match), reenrol=wanted.reenrol
    )
    return Response(
        WrittenView.of(subject, field, written),
        status_code=HTTPStatus.CREATED if written.first else HTTPStatus.OK,
        headers={"etag": f'"{written.version}"'},
    )


_line_decoder: Final = msgspec.json.Decoder(Line)


def _line(sent: bytes) -> Line:
    """Read a line literally. `strictly` does so too, and takes three times as long: it gets what looks suspicious."""
    try:
        line = _line_decoder.decode(sent)
    except msgspec.ValidationError as error:
        fault = fault_in_body(error)
        raise LineRefused(f"{fault.pointer or 'the line'}: {fault.detail}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise LineRefused("not one well-formed JSON object") from None
    if b"\\u0000" in sent or _may_repeat(sent, line.value):
        try:
            strictly(sent, Line)
        except Refusal as error:
            [fault] = error.faults
            raise LineRefused(f"{fault.pointer or 'the line'}: {fault.detail}") from None
    return line


_MEMBERS: Final = len(Line.__struct_fields__)
_QUOTES: Final = 2 * (_MEMBERS + 3)
"""Of the names, and of the three texts."""


def _may_repeat(sent: bytes, value: Any) -> bool:
    """Return whether a line that was understood may have two members of one name.

    Not if it has a colon for each member, or, its value being a text, no quotes but those of names and texts.
    """
    members = _MEMBERS + (len(value) if isinstance(value, dict) else 0)
    return sent.count(b":") != members and not (isinstance(value, str) and sent.count(b'"') == _QUOTES)


async def _encoded(told: AsyncIterator[list[Done] | Summary], *, refused_only: bool) -> AsyncGenerator[bytes]:
    encoder = msgspec.json.Encoder()
    try:
        async for each in told:
            if isinstance(each, Summary):
                yield encoder.encode(each) + b"\n"
            elif shown := [done for done in each if not refused_only or done.outcome == "refused"]:
                yield encoder.encode_lines(shown)
    except DomainError as error:  # the status was sent with the first line
        yield encoder.encode(CutOff(code=error.code, detail=str(error))) + b"\n"


class FieldController(Controller):
    """Say what is kept, who may read it, and how it is masked."""

    path = "/v1/vault/fields"
    tags = ("Vault",)

    @put(
        "/{name:str}",
        operation_id="putField",
        opt=needs(OFFICER),
        responses=documented(409)
        | {HTTPStatus.CREATED: ResponseSpec(FieldView, generate_examples=False, description="A new field")},
    )
    async def put_field(
        self,
        request: Request[Caller, Any, Any],
        name: FieldPath,
        data: StrictBody[FieldPut],
        put_field: NamedDependency[PutField],
    ) -> Response[FieldView]:
        """Add a field, or change one: as a whole, from now on.

        Type and index of a field never change, since values lie there by them. A built-in
        field can have other purposes, masking and retention. Sending the same again is safe.
        """
        field = strictly(data, FieldPut).to_field(name)
        new = await put_field(field, by=request.user)
        view = FieldView.of(field, built_in=name in BUILT_IN)
        return Response(view, status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @get("/", operation_id="readFields", opt=needs("vault:read"), responses=documented())
    async def fields(self, request: Request[Caller, Any, Any], fields_of: NamedDependency[FieldsOf]) -> FieldsView:
        """Show the fields that there are, built-in ones and your own, by name."""
        fields = await fields_of(request.user.tenant)
        return FieldsView(fields=[FieldView.of(fields[name], built_in=name in BUILT_IN) for name in sorted(fields)])

    @get("/{name:str}", operation_id="readField", opt=needs("vault:read"), responses=documented(404))
    async def field(
        self, request: Request[Caller, Any, Any], name: FieldPath, fields_of: NamedDependency[FieldsOf]
    ) -> FieldView:
        """Show one field."""
        fields = await fields_of(request.user.tenant)
        if name not in fields:
            raise FieldUnknown("there is no such field")
        return FieldView.of(fields[name], built_in=name in BUILT_IN)


class ValueController(Controller):
    """Keep what people can be reached and recognised by."""

    path = "/v1/vault"
    tags = ("Vault",)

    @put(
        "/{subject:str}/{field:str}",
        operation_id="putValue",
        opt=needs("vault:write"),
        responses=documented(404, 409, 410, 412)
        | {HTTPStatus.CREATED: ResponseSpec(WrittenView, generate_examples=False, description="There was none before")},
    )
    async def put_value(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        field: ValuePath,
        data: StrictBody[ValuePut],
        put_value: NamedDependency[PutValue],
        if_match: IfMatch = "",
    ) -> Response[WrittenView]:
        """Store a value as its newest version.

        It is checked, brought into one spelling and sealed under the person's own key; older
        versions stay until their retention ends. `ETag` names the version: with `If-Match`
        a write is refused where another came first. Of two at once both are kept, the later
        one being the higher version. A value that is no such thing is 400 and never repeated.
        An address that was suppressed is 409, unless its owner asked to be kept again.
        """
        return await stored(put_value, request.user, data, subject=subject, field=field, if_match=if_match)

    @delete(
        "/{subject:str}/{field:str}",
        operation_id="deleteValue",
        opt=needs("vault:write"),
        responses=documented(404, 410, 412),
    )
    async def delete_value(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        field: ValuePath,
        delete_value: NamedDependency[DeleteValue],
        if_match: IfMatch = "",
    ) -> Response[None]:
        """Take a value out of use.

        Nobody is found by it any more, and only officers can open its versions, until their
        retention ends. To forget a person for good, ask for their erasure.
        """
        await delete_value(SubjectId(subject), field, by=request.user, expected=expected(if_match))
        return Response(None, status_code=HTTPStatus.NO_CONTENT)

    @post(
        "/lookup",
        operation_id="lookUp",
        opt=needs("vault:lookup"),
        responses=documented(404, 409, 429),
        status_code=HTTPStatus.OK,
    )
    async def look_up(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[LookupCreate],
        lookup: NamedDependency[Lookup],
    ) -> FoundView:
        """Find everybody who has a value in a field that is indexed.

        The answer has ids and never values, and several of them where people share one. Case
        and blanks don't matter, nor how a number is written. Each lookup is audited with
        whom it found, and a client can make so many a minute and no more.
        """
        return await found(lookup, request.user, data)

    @post(
        "/import",
        operation_id="importValues",
        opt=needs("vault:write") | lined(Line, Line, Done, Summary, CutOff),
        responses=documented(409, 415),
        status_code=HTTPStatus.OK,
        request_max_body_size=None,
    )
    async def import_values(
        self,
        request: Request[Caller, Any, Any],
        import_values: NamedDependency[ImportValues],
        import_id: ImportId = None,
        refused_only: RefusedOnly = False,
    ) -> Response[bytes]:
        """Store values in bulk: a JSON object a line, of any number.

        A line is `{"subject": …, "field": …, "value": …}`. The answer has a line for each, in their
        order, as soon as it is durable, and a summary at the end: without one it was cut off.
        Then send the same lines again with the same `import`: what was dealt with is skipped, and
        other lines than those under that id are 409 `import_differs`. A
        line that is refused doesn't harm the others. Read while you send, or ask for the refused only.
        """
        lines = Lines.of(request, longest=LONGEST, blank=True)
        told = import_values(lines.chunks(), _line, import_id=import_id or uuid4(), by=request.user)
        return LineResponse(
            _encoded(told if import_id is None else await begun(told, ImportDiffers), refused_only=refused_only)
        )

    @get(
        "/{subject:str}",
        operation_id="readValues",
        opt=needs("vault:read", own=True),
        responses=documented(404, 410),
    )
    async def values(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        read_values: NamedDependency[ReadValues],
        versions: Versions = False,
    ) -> ValuesView:
        """Show what is kept about a person: names, versions and masked forms.

        What a value says takes a purpose and a decision: ask to reveal it.
        """
        if versions:
            permit(request.user, OFFICER, own=False, subject=None)
        kept = await read_values(SubjectId(subject), versions=versions, by=request.user)
        return ValuesView(
            subject=subject,
            values=[
                MaskedView(field=each.name, version=each.version, masked=each.masked, at=each.at)
                for each in kept.values
            ],
            versions=None if kept.versions is None else [VersionView.of(each) for each in kept.versions],
        )
