"""A key ring in the transit engine of OpenBao or HashiCorp Vault: the root key never leaves it.

Needs a key of an authenticated cipher, made by the operator, and a token that may read it, encrypt
and decrypt with it and, for rotation, rotate it. The context of a key travels as the
`associated_data` of transit, in JSON with sorted members.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from service.vault.domain import KeyContext, RingUnavailable, Unreadable, Wrapped
from service.vault.ring_calls import RingCalls, RingLost

RING: Final = "transit"
TOKEN_FILE: Final = "file:"  # noqa: S105, a prefix and no password
"""A token that begins so is the path of a file, read anew for every call: an agent renews it there."""

_CIPHERS: Final = frozenset({"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"})
"""Those that bind associated data. The others would ignore it."""
_LARGEST: Final = 64 * 1024
_PASSING: Final = frozenset({412, 429, 472, 473})
"""Not caught up, too many requests, a standby that doesn't forward. Like 5xx and redirects to the leader."""


class _Key(Struct):
    type: str
    latest_version: int
    min_decryption_version: int
    derived: bool


class _KeyAnswer(Struct):
    data: _Key


class _Encrypted(Struct):
    ciphertext: str


class _EncryptedAnswer(Struct):
    data: _Encrypted


class _Decrypted(Struct):
    plaintext: str

    def __repr__(self) -> str:
        return "_Decrypted(hidden)"


class _DecryptedAnswer(Struct):
    data: _Decrypted


class _Refused(Exception):
    """The ring says that this request is wrong."""


class TransitRing:
    """Wraps by the key `name` of the transit engine mounted at `mount`."""

    def __init__(self, session: aiohttp.ClientSession, calls: RingCalls, *, token: str, mount: str, name: str) -> None:
        self._session = session
        self._calls = calls
        self._token = token
        self._mount = quote(mount.strip("/"))
        self._name = quote(name, safe="")

    async def wrap(self, key: bytes, context: KeyContext) -> Wrapped:
        await self._key()  # or transit would make a key of this name, where the token may
        body = {"plaintext": base64.b64encode(key).decode(), "associated_data": _bound_to(context)}
        try:
            answer = await self._ask("POST", "encrypt", _EncryptedAnswer, body)
        except _Refused:
            raise RingUnavailable("the key ring refuses to wrap") from None
        ciphertext = answer.data.ciphertext
        return Wrapped(ring=RING, version=_version(ciphertext), body=ciphertext.encode())

    async def unwrap(self, wrapped: Wrapped, context: KeyContext) -> bytes:
        ciphertext = wrapped.body.decode("ascii", errors="replace")
        if wrapped.ring != RING or _version(ciphertext) != wrapped.version:
            raise Unreadable("the key does not open")
        body = {"ciphertext": ciphertext, "associated_data": _bound_to(context)}
        try:
            answer = await self._ask("POST", "decrypt", _DecryptedAnswer, body)
            return base64.b64decode(answer.data.plaintext, validate=True)
        except (_Refused, ValueError):  # the latter: what should be base64 is none
            raise Unreadable("the key does not open") from None

    async def check(self) -> None:
        await self._key()

    async def current(self) -> str:
        return f"v{(await self._key()).latest_version}"

    async def knows(self, version: str) -> bool:
        key = await self._key()
        return version in {f"v{number}" for number in range(key.min_decryption_version, key.latest_version + 1)}

    async def rotate(self) -> str:
        try:
            await self._ask("POST", "keys", None, {}, "/rotate")
        except _Refused:
            raise RingUnavailable("the key ring refuses to rotate its key") from None
        return await self.current()

    async def _key(self) -> _Key:
        try:
            key: _Key = (await self._ask("GET", "keys", _KeyAnswer)).data
        except _Refused:
            raise RingUnavailable("the key ring has no such key") from None
        if key.type not in _CIPHERS or key.derived:
            raise RingUnavailable("the key ring's key can't bind what it wraps to its place")
        return key

    async def _ask(
        self, method: str, what: str, shape: Any, body: Mapping[str, str] | None = None, rest: str = ""
    ) -> Any:
        """Return what the ring answers, in the given shape.

        Raises:
            RingUnavailable: no answer, or none that helps.
            _Refused: the request is wrong.
        """

        async def attempt() -> Any:
            headers = {"x-vault-token": await self._read_token(), "x-vault-request": "true"}
            place = f"v1/{self._mount}/{what}/{self._name}{rest}"
            try:
                async with self._session.request(
                    method, place, json=body, headers=headers, allow_redirects=False
                ) as answer:
                    content = await _bounded(answer.content)
            except (aiohttp.ClientError, OSError) as error:
                raise RingLost from error
            return _parsed(answer.status, content, shape)

        return await self._calls(attempt)

    async def _read_token(self) -> str:
        if not self._token.startswith(TOKEN_FILE):
            return self._token
        try:
            written = await asyncio.to_thread(Path(self._token.removeprefix(TOKEN_FILE)).read_text)
        except (OSError, UnicodeDecodeError) as error:
            raise RingUnavailable("the token for the key ring can't be read") from error
        return written.strip()


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise RingLost
    return bytes(body)


def _parsed(status: int, content: bytes, shape: Any) -> Any:
    """Return an answer's content. Its error texts are dropped, whatever they say."""
    if status == 400:
        raise _Refused
    if status >= 500 or status in _PASSING or 300 <= status < 400:
        raise RingLost
    if not 200 <= status < 300:  # no such key or mount, a token that may not or no longer
        raise RingUnavailable("the key ring turns us away")
    if shape is None:
        return None
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise RingLost from None


def _bound_to(context: KeyContext) -> str:
    return base64.b64encode(msgspec.json.encode(context.bound(), order="sorted")).decode()


def _version(ciphertext: str) -> str:
    """Return the version that a ciphertext ``vault:v3:…`` names; empty for anything else."""
    scheme, _, rest = ciphertext.partition(":")
    version, _, _ = rest.partition(":")
    return version if scheme == "vault" else ""


@asynccontextmanager
async def transit(
    url: str, *, token: str, name: str, mount: str = "transit", calls: RingCalls | None = None
) -> AsyncIterator[TransitRing]:
    """Lend the ring at `url`, such as ``https://bao.example:8200``. Asks nothing yet."""
    session = aiohttp.ClientSession(f"{url.rstrip('/')}/", cookie_jar=aiohttp.DummyCookieJar(), raise_for_status=False)
    async with session:
        yield TransitRing(session, calls or RingCalls(), token=token, mount=mount, name=name)
