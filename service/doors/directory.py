"""The service directory of the Data Rights Protocol: who is an agent, and by which key (section 3.05.1)."""

import asyncio
import binascii
from base64 import b64decode
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from service.kernel import Clock, Unavailable

FRESH: Final = timedelta(minutes=10)
"""After so long it is read again."""
KEEP: Final = timedelta(hours=1)
"""So long the one before is good where it can't be read. Whoever was struck off asks no longer than that."""
_LIMIT: Final = aiohttp.ClientTimeout(total=5)
_LARGEST: Final = 4 * 1024 * 1024
_KEY: Final = 32


class _Listed(Struct, frozen=True):
    id: str
    verify_key: str


class AgentDirectory:
    """Reads a JSON list of agents, from a file or over HTTPS."""

    def __init__(self, source: str, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._keys: dict[str, bytes] = {}
        self._read_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, agent: str) -> bytes | None:
        """Return the Ed25519 key of an agent; nothing if there is no such agent, or no key of its.

        Raises:
            Unavailable: the directory can't be read.
        """
        async with self._lock:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= FRESH:
                await self._refresh(now)
        return self._keys.get(agent)

    async def _refresh(self, now: datetime) -> None:
        try:
            listed = msgspec.json.decode(await self._content(), type=list[_Listed])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.MsgspecError):
            if self._read_at is None or now - self._read_at >= KEEP:
                raise Unavailable("the directory of agents can't be read") from None
            return
        self._keys = {each.id: key for each in listed if (key := _key(each.verify_key)) is not None}
        self._read_at = now

    async def _content(self) -> bytes:
        if "://" not in self._source:
            return await asyncio.to_thread(Path(self._source).read_bytes)
        async with (
            aiohttp.ClientSession(timeout=_LIMIT, raise_for_status=True) as session,
            session.get(self._source, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise ValueError("no directory")
            return await answer.content.read(_LARGEST)


def _key(text: str) -> bytes | None:
    try:
        key = b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return key if len(key) == _KEY else None
