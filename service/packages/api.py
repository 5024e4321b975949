from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from service.kernel import Caller, Clock, DomainError
from service.packages.asking import AskForPackage, DropPackage, ReadPackage
from service.packages.fetching import FetchPackage
from service.packages.parcels import (
    PackageGone,
    PackageNotDue,
    PackageTaken,
    PackageUnfinished,
    PackageUnknown,
    ParcelState,
)
from service.packages.schemas import PackageCreate, PackageView
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.handing import HandedResponse
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    PackageGone: HTTPStatus.GONE,
    PackageNotDue: HTTPStatus.CONFLICT,
    PackageTaken: HTTPStatus.CONFLICT,
    PackageUnfinished: HTTPStatus.CONFLICT,
    PackageUnknown: HTTPStatus.NOT_FOUND,
}
_ZIP: Final = "application/zip"
_FILE: Final = {200: ResponseSpec(bytes, media_type=_ZIP, description="The package.")}

ByApproval = Annotated[
    UUID | None, QueryParameter(name="approval", description="Of staff: what a second officer agreed to.")
]


class PackageController(Controller):
    """What is kept about a person, as the answer to a request of theirs."""

    path = "/v1/requests/{request_id:uuid}/package"
    tags = ("Requests",)

    @post(
        operation_id="askForPackage",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 409, 410, 429),
        status_code=HTTPStatus.ACCEPTED,
    )
    async def ask(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        data: StrictBody[PackageCreate],
        ask_for_package: NamedDependency[AskForPackage],
        clock: NamedDependency[Clock],
    ) -> PackageView:
        """Have the package made in another language, or anew.

        One is made by itself when a request for access is executed. While it is to be had, the same again changes
        nothing. Once the person has fetched it, only staff can have another one made.
        """
        parcel = await ask_for_package(request_id, strictly(data, PackageCreate).language, by=request.user)
        return PackageView.of(parcel, parcel.stands(clock()), own=request.user.subject is not None)

    @get(operation_id="readPackage", opt=needs("requests:manage", own=True), responses=documented(404))
    async def read(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        read_package: NamedDependency[ReadPackage],
        clock: NamedDependency[Clock],
    ) -> PackageView:
        """Read how the package stands. `ready` is to be fetched."""
        parcel = await read_package(request_id, by=request.user)
        if parcel is None:
            return PackageView(request=request_id, state=ParcelState.WAITING)
        return PackageView.of(parcel, parcel.stands(clock()), own=request.user.subject is not None)

    @get(
        "/file",
        operation_id="fetchPackage",
        opt=needs("vault:officer", own=True),
        responses=documented(404, 409, 410) | _FILE,
    )
    async def fetch(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        fetch_package: NamedDependency[FetchPackage],
        approval: ByApproval = None,
    ) -> Response[bytes]:
        """Have the package, once. It is deleted when all of it has left.

        One that breaks off can be had again for a quarter of an hour. With their own token people fetch theirs; staff
        need an approval for `dsr_response` whose reference is the request.
        """
        handed = await fetch_package(request_id, approval=approval, by=request.user)
        headers = {
            "content-type": _ZIP,
            "content-length": str(handed.size),
            "content-disposition": f'attachment; filename="{request_id}.zip"',
        }
        return HandedResponse(handed.parts, headers, handed.ended)

    @delete(operation_id="deletePackage", opt=needs("requests:manage"), responses=documented(404))
    async def delete(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        drop_package: NamedDependency[DropPackage],
    ) -> Response[None]:
        """Delete the package before its time. Again is safe."""
        await drop_package(request_id, by=request.user)
        return Response(None, status_code=HTTPStatus.NO_CONTENT)
