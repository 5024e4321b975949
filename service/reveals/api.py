from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Request, post
from litestar.di import NamedDependency

from service.kernel import Caller, DomainError
from service.reveals.domain import ChannelNeeded, OfficersOnly, RevealDenied
from service.reveals.schemas import RevealCreate, RevealView
from service.reveals.usecases import Reveal
from service.vault import SubjectErased, Unreadable
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    ChannelNeeded: HTTPStatus.CONFLICT,
    OfficersOnly: HTTPStatus.FORBIDDEN,
    RevealDenied: HTTPStatus.FORBIDDEN,
    SubjectErased: HTTPStatus.GONE,
    Unreadable: HTTPStatus.SERVICE_UNAVAILABLE,
}


async def revealed(reveal: Reveal, caller: Caller, body: Any) -> RevealView:
    """Answer what a body asks to read."""
    return RevealView.of(await reveal(strictly(body, RevealCreate).wish(), by=caller))


class RevealController(Controller):
    """Read the vault in plain, for a stated purpose, where the law permits it now."""

    path = "/v1/vault"
    tags = ("Vault",)

    @post(
        "/reveal",
        operation_id="reveal",
        opt=needs("vault:reveal"),
        responses=documented(404, 409, 410),
        status_code=HTTPStatus.OK,
    )
    async def reveal(
        self, request: Request[Caller, Any, Any], data: StrictBody[RevealCreate], reveal: NamedDependency[Reveal]
    ) -> RevealView:
        """Read values of one person in plain.

        Whether you may is decided first, as by `POST /v1/decisions`, and logged. A denial opens
        nothing: it is a 403 `reveal_denied` with the `decision` and its reasons, also for a person
        nobody told us about. What a field doesn't allow for the purpose comes masked. The reveal
        is in the audit log before the answer leaves. The purposes `dsr_response` and `legal_claim`
        need no decision, but the scope `vault:officer`.
        """
        return await revealed(reveal, request.user, data)
