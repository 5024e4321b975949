from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.kernel import Caller, DomainError
from service.requests.identity import CodesNotSent, IdentityNotShown, TooManyCodes
from service.requests.identity_schemas import CodeSent, CodeWanted, IdentityShown
from service.requests.proving import SendCode, ShowIdentity
from service.requests.schemas import RequestView
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

IDENTITY_STATUS: Final[Mapping[type[DomainError], int]] = {
    CodesNotSent: HTTPStatus.CONFLICT,
    IdentityNotShown: HTTPStatus.CONFLICT,
    TooManyCodes: HTTPStatus.TOO_MANY_REQUESTS,
}


class IdentityController(Controller):
    """Show who it is that asks."""

    path = "/v1/requests"
    tags = ("Requests",)

    @post(
        "/{request_id:uuid}/identity/code",
        operation_id="sendIdentityCode",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 409, 429),
        status_code=HTTPStatus.ACCEPTED,
    )
    async def send(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        data: StrictBody[CodeWanted],
        send_code: NamedDependency[SendCode],
    ) -> CodeSent:
        """Send a code to an address of the person's.

        It goes to an address that the vault had when the request came, never to one that somebody names; the
        answer is the same where there is none. Ten minutes, five tries, one code at a time for a request.
        """
        return CodeSent.of(await send_code(request_id, strictly(data, CodeWanted).wanted(), by=request.user))

    @post(
        "/{request_id:uuid}/identity",
        operation_id="showIdentity",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def show(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        data: StrictBody[IdentityShown],
        show_identity: NamedDependency[ShowIdentity],
    ) -> RequestView:
        """Verify somebody by a code, by what the vault has of them, or by their own token, and accept their request.

        What is said of the person is compared and neither kept nor told; of something wrong the answer says only
        that it is not enough.
        """
        return RequestView.of(await show_identity(request_id, strictly(data, IdentityShown).answer(), by=request.user))
