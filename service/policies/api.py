from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Controller, Request, get, put
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from service.decisions import Overlay
from service.kernel import Caller, DomainError
from service.policies.domain import OverlayLoosens, OverlayMoved, OverlayUnusable
from service.policies.schemas import OverlayView
from service.policies.usecases import PutOverlay, ReadOverlay
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    OverlayLoosens: HTTPStatus.CONFLICT,
    OverlayMoved: HTTPStatus.CONFLICT,
    OverlayUnusable: HTTPStatus.CONFLICT,
}

DryRun = Annotated[bool, QueryParameter(description="Check it and say what it would become; store nothing.")]
BasedOn = Annotated[
    int | None,
    QueryParameter(ge=0, description="The version that this one changes. Refused if there is a later one by now."),
]


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

    @get("/overlay", operation_id="readOverlay", opt=needs("policy:read"), responses=documented())
    async def overlay(
        self, request: Request[Caller, Any, Any], read_overlay: NamedDependency[ReadOverlay]
    ) -> OverlayView:
        """Read your own policy over the law. Version 0 is empty: there never was one."""
        return OverlayView.of(await read_overlay(by=request.user))
