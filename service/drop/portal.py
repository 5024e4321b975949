"""The platform's own API (version 1.2.0): one list at a time to fetch, and answers to hand in.

The key travels in `X-API-KEY` and nowhere else; redirects aren't followed. What the platform says is told only where it
names files of ours.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from service.drop.domain import ListUnusable, PortalRefused
from service.kernel import Unavailable

PRODUCTION: Final = "https://api.drop.privacy.ca.gov"
PATIENCE: Final = 3600
"""Seconds in all for which a list that is being prepared is waited for."""
BUSY: Final = 30
"""Seconds after which to ask again whoever asked too often, where nothing is said."""
PREPARING: Final = 60
LARGEST: Final = 8 * 1024**3
"""Bytes of a download, packed."""
_PIECE: Final = 1 << 16
_SAID: Final = 64 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=10, sock_read=60)
_REFUSALS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "the platform doesn't know the key",
    HTTPStatus.FORBIDDEN: "the platform lets this key do nothing: registration or fee may be missing",
    HTTPStatus.NOT_FOUND: "there is no such platform at this address",
}

Sleep = Callable[[float], Awaitable[None]]


T = TypeVar("T")


class Named(Struct, frozen=True, kw_only=True):
    file: str = msgspec.field(name="fileName")


class Uploaded(Struct, frozen=True, kw_only=True):
    """What of an answer to an upload counts: the files that weren't taken."""

    rejected: tuple[Named, ...] = ()


class Later(Struct, frozen=True):
    """Ask again."""

    seconds: float


class Portal:
    """Asks the platform, and asks again where it says when."""

    def __init__(self, url: str, key: str, sleep: Sleep = asyncio.sleep) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-API-KEY": key, "Accept": "application/zip, application/json"}
        self._sleep = sleep

    async def fetch(self, into: BinaryIO) -> bool:
        """Write the present download into a file, and return whether there is one.

        Raises:
            PortalRefused: not to this key, or the answers to the last one are still missing.
            ListUnusable: it is larger than anything that we read.
            Unavailable: the platform doesn't answer, or takes its time.
        """

        async def ask(session: aiohttp.ClientSession) -> Later | bool:
            async with session.get(f"{self._url}/data/download", allow_redirects=False) as answer:
                if answer.status == HTTPStatus.ACCEPTED:
                    return _later(answer, PREPARING)
                if answer.status == HTTPStatus.CONFLICT:
                    raise PortalRefused("the last download isn't answered yet: hand in every work item first")
                if (again := self._checked(answer)) is not None:
                    return again
                if answer.content_type != "application/zip":
                    return False
                size = 0
                async for piece in answer.content.iter_chunked(_PIECE):
                    size += len(piece)
                    if size > LARGEST:
                        raise ListUnusable("it is larger than any list is")
                    into.write(piece)
                return True

        return await self._until(ask)

    async def upload(self, files: Sequence[Path], *, amend: bool) -> Sequence[str]:
        """Hand in files of answers, and return the names of those that the platform took.

        Raises:
            PortalRefused: it takes none now.
            Unavailable
        """
        place = "amend" if amend else "upload"

        async def ask(session: aiohttp.ClientSession) -> Later | Sequence[str]:
            form = aiohttp.FormData()
            with ExitStack() as opened:
                for file in files:
                    content = opened.enter_context(file.open("rb"))
                    form.add_field("files", content, filename=file.name, content_type="text/csv")
                async with session.post(f"{self._url}/data/{place}", data=form, allow_redirects=False) as answer:
                    if answer.status == HTTPStatus.CONFLICT:
                        raise PortalRefused("no download waits for answers")
                    if answer.status == HTTPStatus.BAD_REQUEST:
                        return []
                    if (again := self._checked(answer)) is not None:
                        return again
                    said = await answer.content.read(_SAID)
            rejected = {each.file for each in msgspec.json.decode(said, type=Uploaded).rejected}
            return [file.name for file in files if file.name not in rejected]

        return await self._until(ask)

    def _checked(self, answer: aiohttp.ClientResponse) -> Later | None:
        """Return after how long to ask again; nothing if the answer is one."""
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            return _later(answer, BUSY)
        if (refusal := _REFUSALS.get(answer.status)) is not None:
            raise PortalRefused(refusal)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            raise Unavailable(f"the platform answers {answer.status}")
        return None

    async def _until(self, ask: Callable[[aiohttp.ClientSession], Awaitable[Later | T]]) -> T:
        waited = 0.0
        while True:
            try:
                async with aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT) as session:
                    answer = await ask(session)
            except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
                raise Unavailable("the platform doesn't answer as its document says") from error
            if not isinstance(answer, Later):
                return answer
            waited += answer.seconds
            if waited > PATIENCE:
                raise Unavailable("the platform isn't ready yet; asking again later is safe")
            await self._sleep(answer.seconds)


def _later(answer: aiohttp.ClientResponse, otherwise: int) -> Later:
    said = answer.headers.get("Retry-After", "")
    known = said.isascii() and said.isdigit() and int(said) > 0
    return Later(float(min(int(said), PATIENCE) if known else otherwise))
