"""The engine of production: an OPA server that has loaded our bundle, asked over REST."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from opa_client.opa_async import AsyncOpaClient

from service.decisions.domain import DecisionUnavailable, Verdict, verdict_of
from service.decisions.policy import Policy

_VERDICT: Final = "volens/decision/verdict"
_WITH_REVISION: Final = {"provenance": "true"}

FAILURES: Final = 5
"""So many in a row, and the server is left alone for `PAUSE` seconds."""
PAUSE: Final = 2.0


class OpaPolicyEngine:
    """Asks OPA for ``data.volens.decision.verdict`` and fails closed.

    Each answer must come from the very bundle that this process was released with:
    OPA says which in the answer's provenance.
    """

    def __init__(
        self,
        client: AsyncOpaClient,
        policy: Policy,
        *,
        limit: float = 1.5,
        failures: int = FAILURES,
        pause: float = PAUSE,
    ) -> None:
        self.policy = policy
        self._client = client
        self._limit = limit
        self._allowed = failures
        self._pause = pause
        self._failures = 0
        self._closed_until = 0.0

    async def evaluate(self, facts: bytes) -> Verdict:
        return verdict_of(await self.ask(_VERDICT, facts), facts, self.policy.rules)

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        answer = await self._answer(entrypoint, msgspec.json.decode(document))
        if "result" not in answer:
            # OPA answers 200 without "result" when the rule is undefined: a
            # missing bundle looks exactly like this, so it is never an allow.
            raise DecisionUnavailable("policy engine gave no answer")
        return answer["result"]

    @property
    def revision(self) -> str:
        return self.policy.revision

    async def check(self) -> None:
        await self._answer(_VERDICT, {})

    async def _answer(self, entrypoint: str, document: Any) -> dict[str, Any]:
        """Return OPA's answer, from our revision; whatever the client may raise becomes one error."""
        package, _, rule = entrypoint.rpartition("/")
        now = asyncio.get_running_loop().time
        if now() < self._closed_until:
            raise DecisionUnavailable("policy engine failed repeatedly and is left alone for a moment")
        try:
            # The client's own limit holds for each attempt, ours for all of them.
            async with asyncio.timeout(self._limit):
                answer = await self._client.query_rule(document, package, rule, query_params=_WITH_REVISION)
            self._refuse_others(answer)
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError, _OtherPolicy) as error:
            # ValueError: an answer that is no JSON. The client lets its parser's errors through.
            self._failures += 1
            if self._failures >= self._allowed:
                self._closed_until = now() + self._pause
            known = str(error) if isinstance(error, _OtherPolicy) else "policy engine unreachable"
            raise DecisionUnavailable(known) from error
        self._failures = 0
        return dict(answer)

    def _refuse_others(self, answer: Any) -> None:
        try:
            bundles = msgspec.convert(answer, _Provenanced).provenance.bundles
        except msgspec.ValidationError as error:
            raise _OtherPolicy("policy engine doesn't say which policy it has") from error
        if self.policy.revision not in {bundle.revision for bundle in bundles.values()}:
            raise _OtherPolicy("policy engine has another policy")


class _OtherPolicy(Exception):
    """The answer isn't known to come from our revision."""


class _Bundle(msgspec.Struct):
    revision: str


class _Provenance(msgspec.Struct):
    bundles: dict[str, _Bundle]


class _Provenanced(msgspec.Struct):
    provenance: _Provenance


@asynccontextmanager
async def served(
    url: str, policy: Policy, *, token: str | None = None, limit: float = 1.5
) -> AsyncIterator[OpaPolicyEngine]:
    """Lend an engine that asks the OPA server at `url`, such as ``http://127.0.0.1:8181``.

    Raises:
        ValueError: the address is none the client can reach: it takes no path.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
        raise ValueError("the address of OPA is http(s)://HOST:PORT, without a path")
    secure = address.scheme == "https"
    client = AsyncOpaClient(
        host=address.hostname,
        port=address.port or (443 if secure else 8181),
        ssl=secure,
        token=token,
        # One more try for a connection that was closed while it idled.
        retries=1,
        timeout=limit,
    )
    # A client that wasn't entered has no session and fails on its first call.
    async with client:
        yield OpaPolicyEngine(client, policy, limit=limit)
