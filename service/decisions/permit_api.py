import hashlib
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

from service.decisions.permit_schemas import PermitVerify, RevokedView, VerifiedView
from service.decisions.permits import STEP
from service.decisions.permitting import ListRevoked, VerifyPermit
from service.kernel import Caller
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import ON_FAILURE, documented

NO: Final[dict[str, Any]] = {ON_FAILURE: {"valid": False}}
"""Whatever fails on the way: nobody may take it for a yes."""
NOT_MODIFIED: Final = {
    int(HTTPStatus.NOT_MODIFIED): ResponseSpec(None, description="The list is still the one of `If-None-Match`.")
}
Known = Annotated[
    str, HeaderParameter(name="If-None-Match", description="The `ETag` of an earlier answer, or several.")
]


class PermitController(Controller):
    """Verify what goes with a decision to whoever sends."""

    path = "/v1/permits"
    tags = ("Decisions",)

    @post(
        "/verify",
        operation_id="verifyPermit",
        opt=needs("decide") | NO,
        responses=documented(),
        status_code=HTTPStatus.OK,
    )
    async def verify(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[PermitVerify],
        verify_permit: NamedDependency[VerifyPermit],
    ) -> VerifiedView:
        """Ask whether a permit is good, and use it up if `burn` says so.

        Beside what its text says, the answer knows what was withdrawn since, and what was used
        up. A permit is `withdrawn` as soon as anything has changed that it was given on: the
        person's records, facts or flags, or the policy. Then ask for a new decision.
        """
        asked = strictly(data, PermitVerify)
        return VerifiedView.of(await verify_permit(asked.permit, asked.wish, burn=asked.burn, by=request.user))

    @get("/revoked", operation_id="listRevokedPermits", opt=needs("decide"), responses=documented() | NOT_MODIFIED)
    async def revoked(
        self, request: Request[Caller, Any, Any], list_revoked: NamedDependency[ListRevoked], if_none_match: Known = ""
    ) -> Response[RevokedView]:
        """Read which permits have ended before their time, signed, for those who verify by themselves.

        `revoked` holds the first `bytes` bytes of SHA-256 of each permit's `jti`, in order, as
        base64url. It may name one too many, and never one too few: what was withdrawn before
        `iat` is in it. `kids` names the keys of permits that may be good. Fetch it every few
        seconds, and refuse one that is past its `exp`.
        """
        signed = await list_revoked(by=request.user)
        tag = f'"{hashlib.sha256(signed.encode()).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": f"private, max-age={STEP}"}
        if not {tag, "*"}.isdisjoint(each.strip().removeprefix("W/") for each in if_none_match.split(",")):
            unchanged: Response[Any] = Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
            return unchanged
        return Response(RevokedView(revocations=signed), headers=headers)
