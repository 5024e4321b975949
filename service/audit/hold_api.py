from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath

from service.audit.hold_schemas import HoldPage, HoldPut, HoldView
from service.audit.holding import HeldSubjectUnknown, LiftHold, PlaceHold, ReadHolds
from service.audit.keeping import ContentExpired, HoldName, HoldRedefined, HoldUnclear, HoldUnknown
from service.kernel import Caller, DomainError
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

HOLD_STATUS: Final[Mapping[type[DomainError], int]] = {
    ContentExpired: HTTPStatus.GONE,
    HeldSubjectUnknown: HTTPStatus.CONFLICT,
    HoldRedefined: HTTPStatus.CONFLICT,
    HoldUnclear: HTTPStatus.CONFLICT,
    HoldUnknown: HTTPStatus.NOT_FOUND,
}
_NEW: Final = ResponseSpec(HoldView, generate_examples=False, description="A hold that is new")


class HoldController(Controller):
    """Keep what a court or an authority may ask for."""

    path = "/v1/audit/holds"
    tags = ("Audit",)

    @put(
        "/{name:str}",
        operation_id="placeHold",
        opt=needs("audit:hold"),
        responses=documented(409) | {HTTPStatus.CREATED: _NEW},
    )
    async def place(
        self,
        request: Request[Caller, Any, Any],
        name: FromPath[HoldName],
        data: StrictBody[HoldPut],
        place_hold: NamedDependency[PlaceHold],
    ) -> Response[HoldView]:
        """Hold the content of one person or of all, of a period or of any time: retention takes none of it.

        Once this is answered nothing goes that it holds. The same again is safe; to change a hold, place another
        and lift this one.
        """
        hold, new = await place_hold(strictly(data, HoldPut).to_wish(name), by=request.user)
        return Response(HoldView.of(hold), status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @delete(
        "/{name:str}",
        operation_id="liftHold",
        opt=needs("audit:hold"),
        status_code=HTTPStatus.OK,
        responses=documented(404),
    )
    async def lift(
        self, request: Request[Caller, Any, Any], name: FromPath[HoldName], lift_hold: NamedDependency[LiftHold]
    ) -> HoldView:
        """Lift a hold. What nothing else holds goes when its period is over; the hold stays in the list."""
        return HoldView.of(await lift_hold(name, by=request.user))

    @get("/", operation_id="readHolds", opt=needs("audit:read"), responses=documented())
    async def holds(
        self,
        request: Request[Caller, Any, Any],
        read_holds: NamedDependency[ReadHolds],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[HoldPage]:
        """Show what is held, and was, by name. Follow `Link` until there is none."""
        found, after = await read_holds(after=pages.position_in(cursor, str), limit=limit, by=request.user)
        return pages.page(request, HoldPage(holds=[HoldView.of(hold) for hold in found]), after)
