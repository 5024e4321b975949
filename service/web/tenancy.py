"""A token may be good and speak for a tenant that this installation doesn't serve."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from service.kernel import Caller, TenantId
from service.web.auth import Authenticates
from service.web.failures import Failed, Why
from service.web.problems import Refusal

_CHALLENGE: Final = {"www-authenticate": 'Bearer error="invalid_token"'}

Known = Callable[[TenantId], Awaitable[bool]]
"""Whether the installation serves this tenant."""


class TenantGate:
    """Lets callers of tenants pass that exist. Tenants are never taken away, so who was seen once is remembered."""

    def __init__(self, inner: Authenticates, known: Known, failed: Failed = lambda *_: None) -> None:
        """`failed` is told of every token of a tenant that is none of ours."""
        self._inner = inner
        self._known = known
        self._failed = failed
        self._seen: set[TenantId] = set()

    async def caller(self, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Caller:
        """Return who sent these headers.

        Raises:
            Refusal: 401; the token is not acceptable, or its tenant is none of ours.
            Unavailable: nobody can say.
        """
        caller = await self._inner.caller(headers, request_id)
        if caller.tenant not in self._seen:
            if not await self._known(caller.tenant):
                self._failed(Why.TENANT, None)
                raise Refusal("unauthenticated", "The token's tenant is unknown here.", headers=_CHALLENGE)
            self._seen.add(caller.tenant)
        return caller
