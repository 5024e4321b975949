from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, put
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Meta

from service.decisions import Overlay
from service.kernel import Caller, DomainError
from service.policies.domain import OverlayLoosens, OverlayMoved, OverlayUnusable, OverlayVersionUnknown
from service.policies.schemas import OverlayPage, OverlayView
from service.policies.usecases import PutOverlay, ReadOverlay, ReadOverlayVersions
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    OverlayLoosens: HTTPStatus.CONFLICT,
    OverlayMoved: HTTPStatus.CONFLICT,
    OverlayUnusable: HTTPStatus.CONFLICT,
    OverlayVersionUnknown: HTTPStatus.NOT_FOUND,
}

DryRun = Annotated[
    bool, QueryParameter(description="Check it and store nothing. The answer says `dry_run`, and names no version.")
]
Version = Annotated[
    int | None, QueryParameter(ge=1, le=2**31 - 1, description="A version of before. The latest when it is missing.")
]
BasedOn = Annotated[
    int | None,
    QueryParameter(ge=0, description="The version that this one changes. Refused if there is a later one by now."),
]
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""What a cursor of versions holds: a number that the column can hold."""


class PolicyController(Controller):
    """Be stricter than the law, and see that you are no looser."""

    path = "/v1/policy"
    tags = ("Policy",)

    @put(
        "/overlay",
        operation_id="putOverlay",
        opt=needs("policy:write"),
        responses=documented(409),
    )
    async def put_overlay(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[Overlay],
        put_overlay: NamedDependency[PutOverlay],
        based_on: BasedOn = None,
        dry_run: DryRun = False,
    ) -> OverlayView:
        """Replace your own policy over the law, as a whole.

        It is read where the law permits, so it can only forbid more; `{}` takes it away. What
        would promise less than a rule asks is refused with that rule. From the answer on,
        every decision is made under it. Sending the same again is safe.
        """
        stored = await put_overlay(strictly(data, Overlay), based_on=based_on, dry_run=dry_run, by=request.user)
        return OverlayView.of(stored)

    @get("/overlay", operation_id="readOverlay", opt=needs("policy:read"), responses=documented(404))
    async def overlay(
        self,
        request: Request[Caller, Any, Any],
        read_overlay: NamedDependency[ReadOverlay],
        version: Version = None,
    ) -> OverlayView:
        """Read your own policy over the law, as it is or as a version of it was.

        Version 0 is empty: there never was one.
        """
        return OverlayView.of(await read_overlay(version=version, by=request.user))

    @get("/overlay/versions", operation_id="readOverlayVersions", opt=needs("policy:read"), responses=documented())
    async def versions(
        self,
        request: Request[Caller, Any, Any],
        read_overlay_versions: NamedDependency[ReadOverlayVersions],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[OverlayPage]:
        """Read every version of your own policy, the latest first. Follow `Link` until there is none."""
        before = pages.position_in(cursor, Number)
        versions, more = await read_overlay_versions(before=before, limit=limit, by=request.user)
        return pages.page(request, OverlayPage(versions=[OverlayView.of(each) for each in versions]), more)
