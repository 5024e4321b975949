"""The keys of token issuers: which we accept, and when we ask for them again.

The algorithm of a key is fixed here, from the key, and never taken from a token.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from service.kernel import Clock, Unavailable
from service.web.issuers import IssuerSettings

MAX_JWKS: Final = 256 * 1024
MAX_KEYS: Final = 100
TIMEOUT: Final = 5.0
INTERVAL: Final = timedelta(seconds=30)
"""At most one fetch an issuer in this time, whether it succeeds or fails."""
REFRESH: Final = timedelta(minutes=5)
TRUST: Final = timedelta(hours=24)
"""Keys that could not be confirmed for this long are forgotten: their issuer may have revoked them."""

_ALGORITHMS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): ("RS256", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""Algorithms by key type and curve; the first is meant when the key names none."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS = range(2048, 8193)

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns the JWKS at a URL or path, or raises `OSError` or `ValueError`."""


def usable_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """Return the keys of a JWKS that may verify tokens, by id; others are skipped.

    Skipped are keys without an id or with an id that another one has, symmetric and
    private ones, RSA outside 2048 to 8192 bits, unknown curves, and keys that are meant
    for something else (`use`, `key_ops`, `alg`).

    Raises:
        ValueError: this is no JWKS.
    """
    try:
        entries = msgspec.json.decode(document)["keys"]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError, KeyError):
        raise ValueError("not a JWKS") from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError("not a JWKS")
    ids = [entry.get("kid") for entry in entries if isinstance(entry, dict)]
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(kid := entry.get("kid"), str) and ids.count(kid) == 1:
            with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError, KeyError):
                keys[kid] = _usable(entry)
    return keys


def _usable(entry: dict[str, Any]) -> jwt.PyJWK:
    allowed = _ALGORITHMS[(str(entry.get("kty")), str(entry.get("crv", "")))]
    algorithm = entry.get("alg", allowed[0])
    operations = entry.get("key_ops", ["verify"])
    if algorithm not in allowed or entry.get("use", "sig") != "sig" or "verify" not in operations:
        raise ValueError("not a key for our signatures")
    if _PRIVATE & entry.keys():
        raise ValueError("not a public key")
    key = jwt.PyJWK(entry, algorithm)
    if isinstance(key.key, RSAPublicKey) and key.key.key_size not in _RSA_BITS:
        raise ValueError("RSA key too short or too long")
    return key


async def fetch(place: str) -> bytes:
    """Read a JWKS from a URL or file: bounded, without redirects, cookies, proxies or compression."""
    if not place.startswith(("https://", "http://")):
        return await asyncio.to_thread(_read_file, place)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.get(place, allow_redirects=False, headers={"accept-encoding": "identity"}) as answer,
        ):
            if answer.status != 200:
                raise ValueError("no JWKS there")
            return await _bounded(answer.content)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ConnectionError("no JWKS there") from error


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MAX_JWKS:
            raise ValueError("JWKS too large")
    return bytes(body)


def _read_file(place: str) -> bytes:
    with Path(place).open("rb") as file:
        body = file.read(MAX_JWKS + 1)
    if len(body) > MAX_JWKS:
        raise ValueError("JWKS too large")
    return body


class _Source:
    """One issuer's keys as last seen."""

    def __init__(self, settings: IssuerSettings) -> None:
        self.settings = settings
        self.keys: dict[str, jwt.PyJWK] = {}
        self.document = b""
        self.tried: datetime | None = None
        self.confirmed: datetime | None = None
        self.fetching: asyncio.Task[None] | None = None


class KeyRing:
    """The keys of every trusted issuer, kept fresh by a task while the ring is entered.

    `generation` changes whenever any key does: whoever remembers verified tokens must
    forget them then.
    """

    def __init__(
        self,
        issuers: Sequence[IssuerSettings],
        clock: Clock,
        fetch: Fetch = fetch,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sources = {issuer.issuer: _Source(issuer) for issuer in issuers}
        if len(self._sources) != len(issuers):
            raise ValueError("an issuer is listed twice")
        self._clock = clock
        self._fetch = fetch
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self.generation = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_fresh())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [task for task in (self._task, *(source.fetching for source in self._sources.values())) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def settings(self, issuer: str) -> IssuerSettings | None:
        source = self._sources.get(issuer)
        return source.settings if source else None

    def ready(self) -> bool:
        """Return whether the keys of every issuer are known."""
        return all(source.confirmed is not None for source in self._sources.values())

    async def find(self, issuer: str, key_id: str) -> jwt.PyJWK | None:
        """Return the key, asking its issuer again, within `INTERVAL`'s limit, if it is unknown.

        `key_id` is only ever compared; it never becomes part of a path or URL.

        Raises:
            Unavailable: the issuer is trusted, but its keys have never been seen or were forgotten.
        """
        source = self._sources.get(issuer)
        if source is None:
            return None
        if key_id not in source.keys:
            await self._refresh(source)
        if source.confirmed is None:
            raise Unavailable("the keys of the token's issuer are not available")
        return source.keys.get(key_id)

    async def refresh(self) -> None:
        """Ask every issuer that may be asked again now."""
        await asyncio.gather(*(self._refresh(source) for source in self._sources.values()))

    async def _keep_fresh(self) -> None:
        while True:
            await self.refresh()
            pause = REFRESH if self.ready() else INTERVAL
            await asyncio.sleep(math.ceil(pause.total_seconds()))

    async def _refresh(self, source: _Source) -> None:
        if source.fetching is None:
            now = self._clock()
            if source.tried is not None and now - source.tried < INTERVAL:
                return
            source.tried = now
            source.fetching = asyncio.create_task(self._ask(source))
        await asyncio.shield(source.fetching)

    async def _ask(self, source: _Source) -> None:
        try:
            document = await self._fetch(source.settings.jwks)
            keys = source.keys if document == source.document else usable_keys(document)
        except (OSError, ValueError):
            self._failed(source.settings.issuer)
            if source.confirmed is not None and self._clock() - source.confirmed > TRUST:
                self._replace(source, b"", {})
                source.confirmed = None
        else:
            source.confirmed = self._clock()
            if document != source.document:
                self._replace(source, document, keys)
        finally:
            source.fetching = None

    def _replace(self, source: _Source, document: bytes, keys: dict[str, jwt.PyJWK]) -> None:
        source.document, source.keys = document, keys
        self.generation += 1
