from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import PathParameter, QueryParameter

from service.consent.appending import AppendRecords
from service.consent.domain import (
    NoticeRedefined,
    NotTheirOwn,
    Position,
    PurposeRedefined,
    RecordFromTheFuture,
    RecordIdReused,
    StateUnreadable,
    UnacceptableNotice,
    UnknownNotice,
    UnknownPurpose,
)
from service.consent.merging import SettleMerge
from service.consent.schemas import (
    HistoryPage,
    MergePost,
    MergeView,
    NoticePut,
    NoticeView,
    PurposePage,
    PurposePut,
    PurposeView,
    ReceivedView,
    RecordsCreate,
    RecordsReceived,
    RecordView,
    SubjectView,
)
from service.consent.usecases import (
    PutNotice,
    PutPurpose,
    ReadNotice,
    ReadPurposes,
    ReadRecords,
    ReadSubject,
)
from service.kernel import Caller, DomainError, Instant, SubjectId
from service.subjects import AlreadyMerged, MergeContradictory, MergeWithItself
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.faults import fault_in_parameter
from service.web.problems import Refusal, documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    RecordIdReused: HTTPStatus.CONFLICT,
    RecordFromTheFuture: HTTPStatus.CONFLICT,
    UnknownPurpose: HTTPStatus.CONFLICT,
    PurposeRedefined: HTTPStatus.CONFLICT,
    NoticeRedefined: HTTPStatus.CONFLICT,
    UnacceptableNotice: HTTPStatus.CONFLICT,
    UnknownNotice: HTTPStatus.NOT_FOUND,
    NotTheirOwn: HTTPStatus.FORBIDDEN,
    AlreadyMerged: HTTPStatus.CONFLICT,
    MergeWithItself: HTTPStatus.CONFLICT,
    MergeContradictory: HTTPStatus.CONFLICT,
    StateUnreadable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_NAME: Final = r"^[A-Za-z0-9._:-]{1,128}$(?!\n)"
SubjectPath = Annotated[str, PathParameter(pattern=_NAME, description="The tenant's own opaque id of the person.")]
NoticePath = Annotated[str, PathParameter(pattern=_NAME, description="The tenant's name of the notice.")]
VersionPath = Annotated[str, PathParameter(pattern=_NAME, description="The tenant's name of the version.")]
PurposePath = Annotated[
    str, PathParameter(pattern=r"^x-[a-z0-9-]{1,60}$(?!\n)", description="The tenant's own purpose.")
]
AsOf = Annotated[
    str | None,
    QueryParameter(name="as_of", format="date-time", description="Show what had been received by then."),
]
AGAIN: Final = "It was there already, with the same content"


async def received(append_records: AppendRecords, caller: Caller, body: Any) -> Response[RecordsReceived]:
    """Store the records in a body: what `POST /v1/records` is, in front of Litestar and within."""
    records = strictly(body, RecordsCreate).records
    appended = await append_records([record.to_submission() for record in records], by=caller)
    stored = zip(appended.records, records, strict=True)
    return Response(
        RecordsReceived(records=[ReceivedView.of(record, sent.subject) for record, sent in stored]),
        status_code=HTTPStatus.CREATED if appended.stored else HTTPStatus.OK,
    )


class RecordController(Controller):
    """Record what people want, and show it."""

    path = "/v1"
    tags = ("Records",)

    @post(
        "/records",
        operation_id="appendRecords",
        opt=needs("records:write", own=True),
        responses=documented(404, 409, 410)
        | {HTTPStatus.OK: ResponseSpec(RecordsReceived, generate_examples=False, description=AGAIN)},
    )
    async def append(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[RecordsCreate],
        append_records: NamedDependency[AppendRecords],
    ) -> Response[RecordsReceived]:
        """Store 1 to 1,000 records, all or nothing.

        Send them as often as you like: the same id with the same content is stored once and
        answered alike, with 200 when nothing was new. The same id with other content is a
        conflict, and so is anything but a refusal that is dated more than five minutes ahead.
        A `notice_version` need not be registered; it is kept as the claim that it is.

        With their own token people record their own acts and nothing else.
        """
        return await received(append_records, request.user, data)

    @get(
        "/subjects/{subject:str}/records",
        operation_id="readRecords",
        opt=needs("records:read", own=True),
        responses=documented(404),
    )
    async def history(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        read_records: NamedDependency[ReadRecords],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[HistoryPage]:
        """Read the history of a person, oldest first. Follow `Link` until there is none."""
        history = await read_records(
            SubjectId(subject), after=pages.position_in(cursor, Position), limit=limit, by=request.user
        )
        page = HistoryPage(records=[RecordView.of(record) for record in history.records])
        return pages.page(request, page, history.next)

    @get(
        "/subjects/{subject:str}",
        operation_id="readSubject",
        tags=["Subjects"],
        opt=needs("records:read", own=True),
        responses=documented(404, 410),
    )
    async def subject(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        read_subject: NamedDependency[ReadSubject],
        as_of: AsOf = None,
    ) -> SubjectView:
        """Show what is known about a person: facts, and what counts for each purpose and channel.

        With `as_of`, what had been received by that instant. Whether a contact is lawful is
        not said here; ask for a decision.
        """
        return SubjectView.of(await read_subject(SubjectId(subject), as_of=_instant("as_of", as_of), by=request.user))


class MergeController(Controller):
    """Settle who is the same person."""

    path = "/v1/subjects"
    tags = ("Subjects",)

    @post(
        "/{subject:str}/merge",
        operation_id="mergeSubjects",
        opt=needs("subjects:write"),
        status_code=HTTPStatus.OK,
        responses=documented(404, 409, 410),
    )
    async def merge(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        data: StrictBody[MergePost],
        settle_merge: NamedDependency[SettleMerge],
    ) -> MergeView:
        """Merge another subject into this one, or note that they are two people.

        With `"same": true` the id in `with` is another name of this person from now on, for good. Refusals, objections
        and restrictions of either side win; permissions of the other side count on only if they have evidence, and
        none answers what this side refused before it. Unknown facts are filled in; where two contradict each other,
        say whose count. Values in the vault are sealed anew, and the key they were under is destroyed.

        With `"same": false` checks stop to deny because of a doubt who they are, unless there is another one.
        """
        body = strictly(data, MergePost)
        merged = await settle_merge(
            SubjectId(subject), SubjectId(body.other), same=body.same, facts=body.facts, by=request.user
        )
        return MergeView.of(merged)


class RegistryController(Controller):
    """Register what records refer to: the texts that people saw, and purposes of your own."""

    path = "/v1"
    tags = ("Notices and purposes",)

    @put(
        "/notices/{notice:str}/versions/{version:str}",
        operation_id="putNotice",
        opt=needs("records:write"),
        responses=documented(409)
        | {HTTPStatus.CREATED: ResponseSpec(NoticeView, generate_examples=False, description="A new version")},
    )
    async def put_notice(
        self,
        request: Request[Caller, Any, Any],
        notice: NoticePath,
        version: VersionPath,
        data: StrictBody[NoticePut],
        put_notice: NamedDependency[PutNotice],
    ) -> Response[NoticeView]:
        """Store one version of a notice, for good.

        The same content again is safe. Other content is a conflict: a new wording is a new version.
        """
        content = strictly(data, NoticePut).to_content(notice, version)
        stored, new = await put_notice(content, by=request.user)
        return Response(NoticeView.of(stored), status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @get(
        "/notices/{notice:str}/versions/{version:str}",
        operation_id="readNotice",
        opt=needs("records:read"),
        responses=documented(404),
    )
    async def notice(
        self,
        request: Request[Caller, Any, Any],
        notice: NoticePath,
        version: VersionPath,
        read_notice: NamedDependency[ReadNotice],
    ) -> NoticeView:
        """Show one version of a notice."""
        return NoticeView.of(await read_notice(notice, version, by=request.user))

    @put(
        "/purposes/{purpose:str}",
        operation_id="putPurpose",
        opt=needs("records:write"),
        responses=documented(409)
        | {HTTPStatus.CREATED: ResponseSpec(PurposeView, generate_examples=False, description="A new purpose")},
    )
    async def put_purpose(
        self,
        request: Request[Caller, Any, Any],
        purpose: PurposePath,
        data: StrictBody[PurposePut],
        put_purpose: NamedDependency[PutPurpose],
    ) -> Response[PurposeView]:
        """Register a purpose of your own, judged as the known one it maps onto.

        The mapping never changes: records that name the purpose would change their meaning.
        """
        own = strictly(data, PurposePut).to_purpose(purpose)
        new = await put_purpose(own, by=request.user)
        return Response(PurposeView.of(own), status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @get(
        "/purposes",
        operation_id="readPurposes",
        opt=needs("records:read"),
        responses=documented(),
    )
    async def purposes(
        self,
        request: Request[Caller, Any, Any],
        read_purposes: NamedDependency[ReadPurposes],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[PurposePage]:
        """Show your own purposes, by name. Follow `Link` until there is none."""
        found = await read_purposes(after=pages.position_in(cursor, str), limit=limit, by=request.user)
        page = PurposePage(purposes=[PurposeView.of(own) for own in found.purposes])
        return pages.page(request, page, found.next)


def _instant(name: str, text: str | None) -> Instant | None:
    """Read a time literally: Litestar alone would take ``0`` for 1970."""
    try:
        return msgspec.convert(text, Instant | None)
    except msgspec.ValidationError as error:
        raise Refusal("invalid_request", faults=(fault_in_parameter(name, str(error)),)) from None
