from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from service.downstreams.domain import (
    DownstreamBusy,
    DownstreamUnknown,
    DownstreamUnusable,
    GroundNotKnown,
    SignatureRefused,
    TaskNotSilent,
    TaskSettled,
    TaskUnknown,
)
from service.downstreams.files import FileIdReused, FileNotAsked, FileTooLarge, TooManyFiles
from service.downstreams.schemas import DownstreamPage, DownstreamPut, DownstreamView, SecretView, SystemName
from service.downstreams.usecases import DeleteDownstream, MakeSecret, PutDownstream, ReadDownstream, ReadDownstreams
from service.kernel import Caller, DomainError
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    DownstreamBusy: HTTPStatus.CONFLICT,
    DownstreamUnknown: HTTPStatus.NOT_FOUND,
    DownstreamUnusable: HTTPStatus.CONFLICT,
    FileIdReused: HTTPStatus.CONFLICT,
    FileNotAsked: HTTPStatus.CONFLICT,
    FileTooLarge: HTTPStatus.BAD_REQUEST,
    GroundNotKnown: HTTPStatus.CONFLICT,
    SignatureRefused: HTTPStatus.UNAUTHORIZED,
    TaskNotSilent: HTTPStatus.CONFLICT,
    TaskSettled: HTTPStatus.CONFLICT,
    TaskUnknown: HTTPStatus.NOT_FOUND,
    TooManyFiles: HTTPStatus.CONFLICT,
}
_NEW: Final = {HTTPStatus.CREATED: ResponseSpec(DownstreamView, generate_examples=False, description="A new system")}


class DownstreamController(Controller):
    """Register the systems that are told what people asked for."""

    path = "/v1/downstreams"
    tags = ("Downstreams",)

    @put(
        "/{system:str}",
        operation_id="putDownstream",
        opt=needs("downstreams:manage"),
        responses=documented(409) | _NEW,
    )
    async def put(
        self,
        request: Request[Caller, Any, Any],
        system: FromPath[SystemName],
        data: StrictBody[DownstreamPut],
        put_downstream: NamedDependency[PutDownstream],
    ) -> Response[DownstreamView]:
        """Register a system, or change what is said of it.

        A new one gets a secret, which this answer shows and nothing shows again.
        """
        said = strictly(data, DownstreamPut).downstream(system)
        shown = await put_downstream(said, by=request.user)
        status = HTTPStatus.OK if shown is None else HTTPStatus.CREATED
        return Response(DownstreamView.of(said, shown=shown), status_code=status)

    @get(operation_id="readDownstreams", opt=needs("downstreams:manage"), responses=documented())
    async def all(
        self,
        request: Request[Caller, Any, Any],
        read_downstreams: NamedDependency[ReadDownstreams],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[DownstreamPage]:
        """Read the registered systems by their names. Follow `Link` until there is none."""
        found, more = await read_downstreams(after=pages.position_in(cursor, str), limit=limit, by=request.user)
        return pages.page(request, DownstreamPage(downstreams=[DownstreamView.of(each) for each in found]), more)

    @get(
        "/{system:str}",
        operation_id="readDownstream",
        opt=needs("downstreams:manage"),
        responses=documented(404),
    )
    async def read(
        self,
        request: Request[Caller, Any, Any],
        system: FromPath[SystemName],
        read_downstream: NamedDependency[ReadDownstream],
    ) -> DownstreamView:
        """Read one system, and which of its secrets are good."""
        return DownstreamView.of(*await read_downstream(system, by=request.user))

    @delete(
        "/{system:str}",
        operation_id="deleteDownstream",
        opt=needs("downstreams:manage"),
        responses=documented(404, 409),
    )
    async def delete(
        self,
        request: Request[Caller, Any, Any],
        system: FromPath[SystemName],
        delete_downstream: NamedDependency[DeleteDownstream],
    ) -> Response[None]:
        """Forget a system that owes no answer. What it was told and answered stays on record."""
        await delete_downstream(system, by=request.user)
        return Response(None, status_code=HTTPStatus.NO_CONTENT)

    @post(
        "/{system:str}/secrets",
        operation_id="makeDownstreamSecret",
        opt=needs("downstreams:manage"),
        responses=documented(404),
        status_code=HTTPStatus.CREATED,
    )
    async def make_secret(
        self,
        request: Request[Caller, Any, Any],
        system: FromPath[SystemName],
        make_secret: NamedDependency[MakeSecret],
    ) -> SecretView:
        """Make another secret, which this answer shows and nothing shows again.

        The one before is good for seven days more: until then messages are signed under both, and either is taken.
        """
        return SecretView.of(await make_secret(system, by=request.user))
