"""Who calls: a bearer token becomes a `Caller`, or the request is refused.

The only user of PyJWT beside `web/keys.py` and `web/local_issuer.py`, and only for signatures: which key and
which algorithm is decided by `web/keys.py`, what the claims mean by `web/tokens.py`.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol

import jwt
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from service.kernel import Caller, Clock, SubjectId
from service.web.failures import Failed, Why
from service.web.keys import KeyRing
from service.web.problems import Refusal
from service.web.tokens import SELF, Grant, Unacceptable, grant, tenant_of, unverified

__all__ = [
    "NEED",
    "PUBLIC",
    "Authenticates",
    "Authentication",
    "Authenticator",
    "Need",
    "needs",
    "own_subject",
    "permit",
]

PUBLIC: Final = "public"
"""A handler with ``opt={PUBLIC: True}`` needs no token. Every other one does."""

NEED: Final = "need"
"""Where `needs` stands in the `opt` of a handler."""

_REMEMBERED: Final = 4096
_verify = jwt.PyJWS(algorithms=["RS256", "PS256", "ES256", "EdDSA"]).decode_complete


class Authenticator:
    """Turns the headers of a request into its `Caller`.

    A verified token is remembered by its bytes until it expires, or any key changes. Only
    tokens with a good signature get in, so strangers can't fill the memory.
    """

    def __init__(
        self,
        ring: KeyRing,
        clock: Clock,
        *,
        audience: str,
        tenant_claim: str = "tenant",
        failed: Failed = lambda *_: None,
    ) -> None:
        """`failed` is told of every token that is refused."""
        self._ring = ring
        self._clock = clock
        self._audience = audience
        self._tenant_claim = tenant_claim
        self._failed = failed
        self._grants: dict[bytes, Grant] = {}
        self._generation = ring.generation

    async def caller(self, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Caller:
        """Return who sent these headers.

        Raises:
            Refusal: 401; there is no token, or not exactly one, or it is not acceptable.
            Unavailable: the keys of its issuer can't be had.
        """
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1:
            self._failed(Why.MALFORMED if given else Why.MISSING, None)
            raise _challenge("Exactly one bearer token is required.", error="invalid_request" if given else None)
        now = self._clock().timestamp()
        if self._generation != self._ring.generation:
            self._grants.clear()
            self._generation = self._ring.generation
        known = self._grants.get(given[0])
        if known is None or known.expires <= now:
            known = await self._verified(given[0], now)
        return Caller(
            tenant=known.tenant, actor=known.actor, request=request_id, scopes=known.scopes, subject=known.subject
        )

    async def _verified(self, credentials: bytes, now: float) -> Grant:
        scheme, _, token = credentials.partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            self._failed(Why.MISSING, None)
            raise _challenge("Exactly one bearer token is required.", error=None)
        whose = None
        try:
            claims, bound_to = await self._checked(token)
            whose = tenant_of(claims, tenant_claim=self._tenant_claim, bound_to=bound_to)
            verified = grant(
                claims, audience=self._audience, tenant_claim=self._tenant_claim, bound_to=bound_to, now=now
            )
        except Unacceptable as reason:
            self._failed(reason.why, whose)
            raise _challenge(str(reason), error="invalid_token") from None
        self._remember(credentials, verified)
        return verified

    async def _checked(self, token: bytes) -> tuple[dict[str, Any], str | None]:
        """Return the claims of a token whose signature holds, and the tenant its issuer is bound to."""
        said = unverified(token)
        issuer = self._ring.settings(said.issuer)
        key = await self._ring.find(said.issuer, said.key_id)
        if issuer is None or key is None or said.algorithm != key.algorithm_name:
            raise Unacceptable("The token was not signed by an issuer we trust.", Why.UNTRUSTED)
        try:
            _verify(token, key, [key.algorithm_name])
        except jwt.PyJWTError:
            raise Unacceptable("The token was not signed by an issuer we trust.", Why.UNTRUSTED) from None
        return said.claims, issuer.tenant

    def _remember(self, credentials: bytes, verified: Grant) -> None:
        self._grants.pop(credentials, None)
        if len(self._grants) >= _REMEMBERED:
            self._grants.pop(next(iter(self._grants)))
        self._grants[credentials] = verified


class Authenticates(Protocol):
    async def caller(self, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Caller: ...


class Authentication:
    """ASGI middleware behind the router, for every route that is not public.

    Sets `request.user` to the `Caller` and asks for the scope that the route `needs`. That
    is no guard of Litestar's, which would copy the handler for each request.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticates) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            raise Refusal("not_found")
        option = scope["route_handler"].opt
        need: Need | None = option.get(NEED)
        if not option.get(PUBLIC) and not (need is not None and need.signed and _signed(scope)):
            await admit(scope, self._authenticator, need, subject=scope["path_params"].get("subject"))
        await self._app(scope, receive, send)


class Need(Struct, frozen=True):
    """What a token must have: `scope`, or, where `own` says so, the subject's own."""

    scope: str
    own: bool
    signed: bool = False


def needs(scope: str, *, own: bool = False, signed: bool = False) -> dict[str, Need]:
    """Return the `opt` that guards a route by `scope`.

    With `own`, a customer's `self` token is admitted too, for the path's `{subject}` only. A
    route that takes the subject from its body must check it with `own_subject`.
    With `signed`, who sends a `webhook-signature` and no token reaches the handler without a
    `user`, and the handler must check the signature.
    """
    return {NEED: Need(scope, own, signed)}


async def admit(scope: Scope, authenticator: Authenticates, need: Need | None, *, subject: str | None) -> Caller:
    """Return who calls, also as the `user` of `scope`, if they have what the route needs.

    `subject` is the one in the path.

    Raises:
        Refusal: 401, 403 or 404.
        Unavailable: nobody can say.
    """
    caller = await authenticator.caller(scope["headers"], scope["state"]["request_id"])
    scope["user"], scope["auth"] = caller, None
    if need is not None:
        permit(caller, need.scope, own=need.own, subject=subject)
    return caller


def _signed(scope: Scope) -> bool:
    """Return whether a message shows by a signature, and by no token, whose it is."""
    names = {name for name, _ in scope["headers"]}
    return b"webhook-signature" in names and b"authorization" not in names


def permit(caller: Caller, scope: str, *, own: bool, subject: str | None) -> None:
    """Let `caller` pass.

    Raises:
        Refusal: 403, the scope is missing; 404, a `self` token names another subject.
    """
    if caller.subject is None:
        if scope in caller.scopes:
            return
    elif own:
        if subject is not None:
            own_subject(caller, subject)
        return
    raise Refusal(
        "insufficient_scope",
        headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}{" " + SELF if own else ""}"'},
        scope=scope,
    )


def own_subject(caller: Caller, subject: str) -> SubjectId:
    """Return `subject` if `caller` may act for them.

    Another subject is "not found" for a `self` token: whether they exist is not theirs to know.

    Raises:
        Refusal: 404.
    """
    if caller.subject is not None and caller.subject != subject:
        raise Refusal("not_found")
    return SubjectId(subject)


def _challenge(detail: str, *, error: str | None) -> Refusal:
    """RFC 6750 §3: no error code when no token was sent."""
    challenge = f'Bearer error="{error}", error_description="{detail}"' if error else "Bearer"
    return Refusal("unauthenticated", detail, headers={"www-authenticate": challenge})
