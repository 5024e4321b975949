"""Composition root of what others say about the audit log: witnesses cosign it, an authority time-stamps it.

Both are asked beside the sequencer, each by itself: none of them can hold up another, or the log.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import psycopg
from msgspec import Struct

from service import db
from service.audit.asked import poster
from service.audit.attesting_ports import Due, Post, Refused, Silent
from service.audit.attesting_store import SqlLogs
from service.audit.cosigning import AskWitness, name_of
from service.audit.findings import Wrong
from service.audit.quorum import Policy, Witness
from service.audit.stamping import StampTree
from service.given import utc_now
from service.kernel import Clock, TenantId, Unavailable
from service.own_files import FileUnusable
from service.settings import Settings
from service.stopping import LOST
from service.telemetry import Telemetry, described

LONGEST: Final = 300.0
"""Seconds at most before one that didn't answer is asked again."""
REFUSED: Final = 300.0
"""Seconds before one that refused a log is asked about that log again."""
LOOK: Final = 10.0
"""Seconds between two looks for logs whose time-stamp is due."""
AUTHORITY: Final = "tsa"
"""What metrics and the log call the time-stamp authority."""


class Attestor(Protocol):
    """One who is asked about every log."""

    @property
    def name(self) -> str: ...

    @property
    def pause(self) -> float:
        """Seconds between two looks at what is due."""
        ...

    async def due(self) -> Sequence[Due]: ...
    async def ask(self, due: Due) -> int:
        """Return the size that it attested; 0 for none. Raises Refused, Silent, Unavailable."""
        ...


Attestors = Sequence[Callable[[SqlLogs, Post], Attestor]]


class _Cosigner(Struct, frozen=True, kw_only=True):
    witness: Witness
    logs: SqlLogs
    asked: AskWitness
    pause: float

    @property
    def name(self) -> str:
        return self.witness.key.name

    async def due(self) -> Sequence[Due]:
        return await self.logs.unseen(name_of(self.witness.key))

    async def ask(self, due: Due) -> int:
        return await self.asked(due.tenant, due.seen)


class _Authority(Struct, frozen=True, kw_only=True):
    logs: SqlLogs
    stamp: StampTree
    every: timedelta
    clock: Clock
    name: str = AUTHORITY
    pause: float = LOOK

    async def due(self) -> Sequence[Due]:
        return await self.logs.unstamped(self.clock() - self.every)

    async def ask(self, due: Due) -> int:
        return await self.stamp(due.tenant)


def attestors(settings: Settings, clock: Clock = utc_now) -> Attestors:
    """Return whom the settings name.

    Raises:
        FileUnusable: the policy of witnesses, or the roots of the authority, can't be read.
    """
    made: list[Callable[[SqlLogs, Post], Attestor]] = []

    def cosigner(witness: Witness) -> Callable[[SqlLogs, Post], Attestor]:
        return lambda logs, post: _Cosigner(
            witness=witness,
            logs=logs,
            asked=AskWitness(witness, logs, post, clock),
            pause=float(settings.witness_seconds),
        )

    if settings.witnesses_path is not None:
        made += [cosigner(witness) for witness in policy(Path(settings.witnesses_path)).witnesses if witness.url]
    if settings.tsa_url is not None and settings.tsa_roots_path is not None:
        from service.audit.rfc3161 import Authorities  # the extra may be missing

        url, every = settings.tsa_url, timedelta(seconds=settings.tsa_seconds)
        try:
            authorities = Authorities.of(_read(Path(settings.tsa_roots_path)))
        except ValueError:
            raise FileUnusable(f"{settings.tsa_roots_path} holds no certificates") from None
        made.append(
            lambda logs, post: _Authority(
                logs=logs, stamp=StampTree(url, logs, post, authorities), every=every, clock=clock
            )
        )
    return made


def policy(place: Path) -> Policy:
    """Return the policy of witnesses in a file.

    Raises:
        FileUnusable: it is none.
    """
    try:
        read = Policy.parse(_read(place).decode())
    except (Wrong, UnicodeDecodeError) as error:
        raise FileUnusable(f"{place} holds no policy of witnesses: {error}") from None
    if any(witness.url and not witness.url.startswith(("https://", "http://")) for witness in read.witnesses):
        raise FileUnusable(f"{place} names a witness at no address http(s)://…")
    return read


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError as error:
        raise FileUnusable(f"{place} can't be read: {error.strerror}") from None


async def attest(made: Attestors, settings: Settings, url: str, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Ask all of them about every log until `stop` is set. A lost database is waited for."""
    async with db.pool(url, size=2) as pool, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        logs, post = SqlLogs(pool), poster(session)
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(_Asking(make(logs, post), telemetry)()) for make in made]
            await stop.wait()
            for task in asking:  # whoever hangs isn't waited for
                task.cancel()


class _Asking:
    """Asks one of them, again and again."""

    def __init__(self, attestor: Attestor, telemetry: Telemetry) -> None:
        self._attestor = attestor
        self._telemetry = telemetry
        self._refused: dict[TenantId, tuple[str, float]] = {}
        """Why it refused a log, and when it is asked again."""
        self._silent = 0
        """How often in a row it didn't answer."""

    async def __call__(self) -> None:
        while True:
            pause = self._attestor.pause
            try:
                await self._look()
                self._silent = 0
            except Silent as error:
                self._silent += 1
                pause = min(LONGEST, pause * 2 ** min(self._silent, 16))
                self._telemetry.not_attested(self._attestor.name, str(error))
            except (Unavailable, psycopg.OperationalError) as error:
                pause = LOST
                self._telemetry.log.warning("attesting_waits", **described(error))
            # Spread, so that many logs don't come to one witness together.
            await asyncio.sleep(random.uniform(pause, pause * 1.5))  # noqa: S311

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time
        for due in await self._attestor.due():
            why, again_at = self._refused.get(due.tenant, ("", 0.0))
            if now() < again_at:
                continue
            try:
                if await self._attestor.ask(due):
                    self._telemetry.attested(self._attestor.name)
                self._refused.pop(due.tenant, None)
            except Refused as refused:
                self._telemetry.log_refused(
                    self._attestor.name, due.tenant, str(refused), fork=refused.fork, again=why == str(refused)
                )
                self._refused[due.tenant] = (str(refused), now() + REFUSED)
