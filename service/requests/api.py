from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, PathParameter, QueryParameter

from service.kernel import Caller, DomainError, Instant
from service.requests.case import (
    ExtensionTooLate,
    Filter,
    ForStaff,
    PlaceNeeded,
    Position,
    RequestFromTheFuture,
    RequestIdReused,
    RequestMoved,
    RequestUnknown,
)
from service.requests.check import UnknownZone
from service.requests.domain import NotExtendable, NotInForce, ReceiptOutOfRange, UnknownPlace
from service.requests.executing import CertificateNeeded, ErasureHeld
from service.requests.lifecycle import Move, MoveNotAllowed, State, VerificationNeeded
from service.requests.moving import BY_STAFF, MoveRequest
from service.requests.periods import UnknownLaw, UnknownRequest
from service.requests.reading import ReadRequest, ReadRequests
from service.requests.rights import GroundUnknown, MethodUnknown, Right, RightUnknown
from service.requests.schemas import LawName, RequestCreate, RequestMove, RequestPage, RequestView
from service.requests.telling import AnswersOwed
from service.requests.usecases import OpenRequest
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    AnswersOwed: HTTPStatus.CONFLICT,
    CertificateNeeded: HTTPStatus.CONFLICT,
    ErasureHeld: HTTPStatus.CONFLICT,
    ExtensionTooLate: HTTPStatus.CONFLICT,
    ForStaff: HTTPStatus.CONFLICT,
    GroundUnknown: HTTPStatus.CONFLICT,
    MethodUnknown: HTTPStatus.CONFLICT,
    MoveNotAllowed: HTTPStatus.CONFLICT,
    NotExtendable: HTTPStatus.CONFLICT,
    NotInForce: HTTPStatus.CONFLICT,
    PlaceNeeded: HTTPStatus.CONFLICT,
    ReceiptOutOfRange: HTTPStatus.CONFLICT,
    RequestFromTheFuture: HTTPStatus.CONFLICT,
    RequestIdReused: HTTPStatus.CONFLICT,
    RequestMoved: HTTPStatus.CONFLICT,
    RequestUnknown: HTTPStatus.NOT_FOUND,
    RightUnknown: HTTPStatus.CONFLICT,
    UnknownLaw: HTTPStatus.CONFLICT,
    UnknownPlace: HTTPStatus.CONFLICT,
    UnknownRequest: HTTPStatus.CONFLICT,
    UnknownZone: HTTPStatus.CONFLICT,
    VerificationNeeded: HTTPStatus.CONFLICT,
}
NEW: Final = ResponseSpec(RequestView, generate_examples=False, description="A new request")

MoveName = Annotated[
    str, PathParameter(pattern=rf"^({'|'.join(sorted(BY_STAFF))})$(?!\n)", description="What happens to the request.")
]
InState = Annotated[
    State | None, QueryParameter(name="state", description="Those in this state. Without it those nobody answered.")
]
OfRight = Annotated[Right | None, QueryParameter(description="Those for this right.")]
OfLaw = Annotated[LawName | None, QueryParameter(description="Those under this law.")]
DueBefore = Annotated[Instant | None, QueryParameter(description="Those whose last day ends by this instant.")]
Overdue = Annotated[bool | None, QueryParameter(description="With `true` those whose last day is over.")]


class RequestController(Controller):
    """What people ask for, from receipt to answer, by the clock of the law."""

    path = "/v1/requests"
    tags = ("Requests",)

    @post(
        "/",
        operation_id="openRequest",
        opt=needs("requests:write", own=True),
        responses=documented(404, 409) | {HTTPStatus.CREATED: NEW},
        status_code=HTTPStatus.OK,
    )
    async def open(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[RequestCreate],
        open_request: NamedDependency[OpenRequest],
    ) -> Response[RequestView]:
        """Take in what somebody asks for.

        With their own token people ask for themselves, and their log-in shows who they are; with
        the scope, staff enter what came by any channel, on the day it came. An objection, an
        opt-out, a limit or a withdrawal counts from that moment for every check, before anybody
        is verified. 201 when it is new; the same again is a 200 and changes nothing. One for what
        is being asked already joins the open request.
        """
        seen, new = await open_request(strictly(data, RequestCreate).wish(), by=request.user)
        return Response(RequestView.of(seen), status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @get("/", operation_id="readRequests", opt=needs("requests:manage"), responses=documented())
    async def queue(
        self,
        request: Request[Caller, Any, Any],
        read_requests: NamedDependency[ReadRequests],
        in_state: InState = None,
        right: OfRight = None,
        law: OfLaw = None,
        due_before: DueBefore = None,
        overdue: Overdue = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[RequestPage]:
        """Read the queue: what is due first comes first.

        Without a state those that nobody has answered. Conditions narrow it down; each must hold.
        """
        wanted = Filter(state=in_state, right=right, law=law, due_before=due_before, overdue=bool(overdue))
        found, more = await read_requests(
            wanted, after=pages.position_in(cursor, Position), limit=limit, by=request.user
        )
        return pages.page(request, RequestPage(requests=[RequestView.of(seen) for seen in found]), more)

    @get(
        "/{request_id:uuid}",
        operation_id="readRequest",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 410),
    )
    async def read(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        read_request: NamedDependency[ReadRequest],
    ) -> RequestView:
        """Read one request, its dates and what happened to it. People read their own."""
        return RequestView.of(await read_request(request_id, by=request.user))

    @post(
        "/{request_id:uuid}/{move:str}",
        operation_id="moveRequest",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def move(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        move: MoveName,
        data: StrictBody[RequestMove],
        move_request: NamedDependency[MoveRequest],
    ) -> RequestView:
        """Move a request on.

        `ask-identity` and `verify`; `clarify` and `clarified`; `extend`; `execute`, `complete` and
        `close`; `refuse`; `withdraw`, which people may do themselves; `lift`, of a restriction. What
        can follow is in its `moves`. `version` is the one you saw: if it moved since, a 409 says so.
        """
        wanted = strictly(data, RequestMove)
        seen = await move_request(
            request_id,
            Move(move),
            version=wanted.version,
            reason=wanted.reason,
            authority=wanted.authority,
            by=request.user,
        )
        return RequestView.of(seen)
