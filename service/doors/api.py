from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from service.doors.domain import (
    CallbackUnusable,
    DoorClosed,
    IdentitiesUnusable,
    IntakeReused,
    IntakeUnderWay,
    IntakeUnknown,
)
from service.doors.opendsr import DsrCancelled, DsrDiscovery, DsrReceipt, DsrRequest, DsrStatus, RequestId
from service.doors.processing import OpenDsr
from service.kernel import Caller, DomainError
from service.web.answers import send_json
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import FORM, documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    CallbackUnusable: HTTPStatus.CONFLICT,
    DoorClosed: HTTPStatus.CONFLICT,
    IdentitiesUnusable: HTTPStatus.BAD_REQUEST,
    IntakeReused: HTTPStatus.CONFLICT,
    IntakeUnderWay: HTTPStatus.CONFLICT,
    IntakeUnknown: HTTPStatus.NOT_FOUND,
}


def in_form(status: int, detail: str) -> Mapping[str, Any]:
    """Return what the protocol says of an error (section 7.6)."""
    return {"error": {"code": status, "message": detail}}


OPT: Final = {**needs("requests:write"), FORM: in_form}


class Signed(Response[Any]):
    """An answer whose very bytes are signed."""

    def __init__(self, content: Any, door: OpenDsr, *, status: int) -> None:
        super().__init__(content, status_code=status)
        self._status = status
        self._body = msgspec.json.encode(content)
        self._signature = door.processor.headers(self._body)

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIApp:  # type: ignore[override]
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(self._body, self._status, send, self._signature)


class OpenDsrController(Controller):
    """Requests that another system of yours hands on, in OpenDSR 2.0. Every answer is signed by our certificate."""

    path = "/v2"
    tags = ("OpenDSR",)

    @get("/discovery", operation_id="discoverOpenDsr", opt=OPT, responses=documented(409))
    async def discovery(
        self, request: Request[Caller, Any, Any], open_dsr: NamedDependency[OpenDsr]
    ) -> Response[DsrDiscovery]:
        """Read which identities and requests are understood, and where the certificate is (section 6)."""
        return Signed(open_dsr.discovery(), open_dsr, status=HTTPStatus.OK)

    @post(
        "/requests",
        operation_id="takeOpenDsrRequest",
        opt=OPT,
        responses=documented(409),
        status_code=HTTPStatus.CREATED,
    )
    async def take(
        self, request: Request[Caller, Any, Any], data: StrictBody[DsrRequest], open_dsr: NamedDependency[OpenDsr]
    ) -> Response[DsrReceipt]:
        """Hand a request on (section 7).

        People are found by raw identities: `controller_customer_id` is your id of the subject. The answer is the same
        whether or not anybody is known. The same again is answered like the first time; another one under its id is
        a 409.
        """
        said, body = strictly(data, DsrRequest), await request.body()
        return Signed(await open_dsr.take(said, body, by=request.user), open_dsr, status=HTTPStatus.CREATED)

    @get(
        "/requests/{subject_request_id:str}",
        operation_id="readOpenDsrRequest",
        opt=OPT,
        responses=documented(404, 409),
    )
    async def status(
        self,
        request: Request[Caller, Any, Any],
        subject_request_id: FromPath[RequestId],
        open_dsr: NamedDependency[OpenDsr],
    ) -> Response[DsrStatus]:
        """Read how far a request is (section 8): `pending` until it is sure who asked."""
        return Signed(await open_dsr.status(subject_request_id, by=request.user), open_dsr, status=HTTPStatus.OK)

    @delete(
        "/requests/{subject_request_id:str}",
        operation_id="cancelOpenDsrRequest",
        opt=OPT,
        responses=documented(404, 409),
        status_code=HTTPStatus.ACCEPTED,
    )
    async def cancel(
        self,
        request: Request[Caller, Any, Any],
        subject_request_id: FromPath[RequestId],
        open_dsr: NamedDependency[OpenDsr],
    ) -> Response[DsrCancelled]:
        """Take a request back that is `pending` (section 9)."""
        return Signed(await open_dsr.cancel(subject_request_id, by=request.user), open_dsr, status=HTTPStatus.ACCEPTED)
