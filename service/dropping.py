"""`volens drop`, and what compares people with its lists beside it: a part of `volens work`."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import date, datetime
from io import BufferedRandom
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from rich.console import Console

from service import db, given, operations
from service.consent import StoreRecords
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.drop import (
    HEADER,
    Added,
    Answers,
    Broker,
    BrokerId,
    Carried,
    CarryOut,
    Counts,
    Download,
    Follow,
    Found,
    List,
    MarkPeople,
    NoteAccess,
    ReadProgress,
    RegisterBroker,
    Suffix,
    TakeIn,
    Tell,
    answer_line,
    answer_name,
    answers,
    check_name,
)
from service.drop.artefacts import read_rules
from service.drop.portal import Portal
from service.kernel import Caller, Clock, NewId, TenantId, Unavailable
from service.own_files import FileUnusable, new_own, read_own
from service.postgres import DatabaseUrls
from service.progress import bar
from service.requests import MoveRequest, OpenRequest, Receipt, deadlines
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.stopping import pause
from service.telemetry import Telemetry, described
from service.tenants import NOBODY
from service.transaction import Begin, opener
from service.vault import FieldsOf, KeyAccess, OpenValues
from service.vault.envelope import unseal

WORKER: Final = "worker"
PAUSE: Final = 1.0
"""Seconds between two looks for people who are to be compared with the lists."""
AGAIN: Final = 30.0
"""Seconds after which it is tried again when the database or the key ring is lost."""
AT_ONCE: Final = 4
"""People for whom what follows is done side by side."""
PLACE: Final = "US-CA"
ZONE: Final = ZoneInfo("America/Los_Angeles")
"""Of the platform: by its days the lists have to be fetched."""


class Settled(Struct, frozen=True, kw_only=True):
    """How many people were compared with the lists, and of how many something did."""

    compared: int
    followed: int


class Tools(Struct, frozen=True, kw_only=True):
    """What the lists are handled with."""

    register: RegisterBroker
    note_access: NoteAccess
    take_in: TakeIn
    mark: MarkPeople
    follow: Follow
    answers: Answers
    tell: Tell
    carry_out: CarryOut
    progress: ReadProgress

    async def settle(self, *, by: Caller) -> Settled:
        """Compare with the lists whoever is due, and do what follows."""
        compared = people = 0
        while marked := await self.mark(by.tenant):
            compared += marked
        while due := await self.follow.due(by.tenant):
            await self._follow(iter(due), by)
            people += len(due)
        return Settled(compared=compared, followed=people)

    async def _follow(self, waiting: Iterator[Sequence[Found]], by: Caller) -> None:
        """Go on with each. Who can't be gone on with is told when the others are through."""
        failed = list[Exception]()

        async def work() -> None:
            for person in waiting:
                try:
                    await self.follow(person, by=by)
                except Exception as error:  # noqa: BLE001 -- one person's fault is not to stop the others' case
                    failed.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        if failed:
            raise failed[0]


class Progress(Struct, frozen=True, kw_only=True):
    """How far a broker is, and by when the platform has to be asked again."""

    broker: Broker
    next_access_by: date | None
    overdue: bool
    counts: Counts


class Report(Struct, frozen=True, kw_only=True):
    """The files that were written, with how many answers each has, and how many work items are open still."""

    files: dict[str, int]
    open: int


def tools(begin: Begin, keys: KeyAccess, clock: Clock, new_id: NewId) -> Tools:
    """Return what the lists are handled with. A transaction of `begin` is open while another begins."""
    policy = read_policy(given.BUILD)
    law, rules = statutes(given.BUILD, policy), read_rules(given.BUILD)
    append, move = StoreRecords(begin, clock, policy.vocabulary), MoveRequest(begin, clock, law)
    ask = OpenRequest(begin, clock, new_id, law, append)
    return Tools(
        register=RegisterBroker(begin, clock),
        note_access=NoteAccess(begin, clock),
        take_in=TakeIn(begin, keys, clock),
        mark=MarkPeople(begin, keys, FieldsOf(begin), OpenValues(begin, keys, unseal, clock), clock),
        follow=Follow(begin, rules, append, ask, move, clock, new_id),
        answers=Answers(begin, rules),
        tell=Tell(begin, clock),
        carry_out=CarryOut(begin, rules, move),
        progress=ReadProgress(begin),
    )


@asynccontextmanager
async def dropping(settings: Settings, urls: DatabaseUrls) -> AsyncIterator[Tools]:
    """Lend the same, with connections and a key ring of its own."""
    engine = db.engine(urls.app, size=AT_ONCE + 1)
    begin = opener(engine, given.utc_now, given.new_id)
    try:
        async with guarded_root_keys(settings, root_uses(begin), make=False) as root:
            yield tools(begin, vault_keys(settings, root, engine), given.utc_now, given.new_id)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _opened(settings: Settings, tenant: str) -> AsyncIterator[tuple[Tools, Caller]]:
    """Lend the same to a command about one tenant.

    Raises:
        UnknownTenant, OwnerNeeded
    """
    with migrated(settings) as urls:
        (name,) = operations.tenants_named(urls, tenant)
        async with dropping(settings, urls) as lent:
            yield lent, operations.as_operator(name)


async def register(settings: Settings, tenant: str, broker: str) -> bool:
    operations.written(broker, BrokerId, "a broker's id is 1 to 20 letters and digits")
    async with _opened(settings, tenant) as (lent, by):
        return await lent.register(broker, by=by)


async def match(settings: Settings, tenant: str, place: Path, progress_on: Console) -> tuple[Added, int]:
    """Take a download in, and do what follows; return what became of its lines, and of how many people something did.

    Raises:
        NotABroker, ListUnusable, OSError
    """
    async with _opened(settings, tenant) as (lent, by):
        with place.open("rb") as file, bar(progress_on, "lines") as advanced:
            added = await lent.take_in(lambda broker: Download(file, broker), advanced, by=by)
        return added, (await lent.settle(by=by)).followed


async def carry_out(settings: Settings, tenant: str) -> Carried:
    async with _opened(settings, tenant) as (lent, by):
        return await lent.carry_out(by=by)


async def report(
    settings: Settings, tenant: str, out: Path, lists: Sequence[List], suffix: str | None, *, amend: bool
) -> Report:
    """Write what the platform is to be told, a file a list, into a folder. No file is overwritten.

    Raises:
        NotABroker, StillMatching, OSError
    """
    if suffix is not None:
        operations.written(suffix, Suffix, "a suffix is 1 to 10 letters and digits")
    files, open_ = dict[str, int](), 0
    async with _opened(settings, tenant) as (lent, by):
        await lent.settle(by=by)
        broker, known = await lent.answers.ready(by.tenant)
        for listed_on, list_ in known:
            if lists and list_ not in lists:
                continue
            name = answer_name(listed_on, broker.id, list_, suffix)
            closed, unanswered = await _write(lent, by.tenant, listed_on, list_, out / name, amend=amend)
            open_ += unanswered
            if closed:
                files[name] = closed
    return Report(files=files, open=open_)


async def _write(
    lent: Tools, tenant: TenantId, listed_on: date, list_: List, place: Path, *, amend: bool
) -> tuple[int, int]:
    """Write one file, if there is anything to be told; return how many answers it has, and how many can't be given."""
    closed = open_ = 0
    with ExitStack() as stack:
        file: BufferedRandom | None = None
        async for item, status in lent.answers(tenant, listed_on, list_, amend=amend):
            if status is None:
                open_ += 1
                continue
            if file is None:
                file = stack.enter_context(new_own(place))
                file.write(HEADER + b"\n")
            file.write(answer_line(item, status))
            closed += 1
    return closed, open_


async def fetch(settings: Settings, tenant: str, key_file: Path, url: str, out: Path) -> bool:
    """Fetch the present download into a file that is made for it; return whether there is one.

    Raises:
        NotABroker, PortalRefused, ListUnusable, FileExposed, Unavailable, OSError
    """
    async with _opened(settings, tenant) as (lent, by):
        await lent.progress(by.tenant)
        portal = Portal(url, _key(key_file))
        try:
            with new_own(out) as file:
                if not await portal.fetch(file):
                    raise _NothingNew
        except _NothingNew:
            await lent.note_access(by=by)
            return False
        await lent.note_access(by=by)
    return True


async def upload(
    settings: Settings, tenant: str, key_file: Path | None, url: str, files: Sequence[Path], *, amend: bool
) -> tuple[Sequence[str], int]:
    """Hand files of answers in, and remember what they say; without a key somebody has handed them in.

    Return the names of those that were taken, and of how many work items that told.

    Raises:
        NotABroker, AnswerUnusable, PortalRefused, FileExposed, Unavailable, OSError
    """
    async with _opened(settings, tenant) as (lent, by):
        broker, _ = await lent.progress(by.tenant)
        for place in files:
            check_name(place.name, broker.id)
            with place.open("rb") as file:
                for _ in answers(file):
                    pass
        if key_file is None:
            taken: Sequence[str] = [place.name for place in files]
        else:
            taken = await Portal(url, _key(key_file)).upload(files, amend=amend)
        told = 0
        for place in files:
            if place.name in taken:
                with place.open("rb") as file:
                    told += await lent.tell(answers(file), by=by)
        return taken, told


async def progress(settings: Settings, tenant: str) -> Progress:
    """Return how far a broker is.

    Raises:
        NotABroker
    """
    law, rules = statutes(given.BUILD, read_policy(given.BUILD)), read_rules(given.BUILD)
    async with _opened(settings, tenant) as (lent, by):
        broker, counts = await lent.progress(by.tenant)
    period = law.periods.of(rules.access.law, rules.access.request)
    since = broker.accessed_at or broker.registered_at
    dates = deadlines(period, Receipt(received_at=since, zone=ZONE), law.calendar(PLACE))
    by_day = dates.next_access_by
    late = by_day is not None and _today(given.utc_now()) > by_day
    return Progress(broker=broker, next_access_by=by_day, overdue=late, counts=counts)


async def compare_by_itself(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Compare people of brokers with the lists until `stop` is set. A lost database or key ring is waited for."""
    async with operations.transactions(urls.worker) as look:
        while not stop.is_set():
            wait = PAUSE
            try:
                if due := await _due(look):
                    async with dropping(settings, urls) as lent:
                        done = [await lent.settle(by=_worker(tenant)) for tenant in due]
                    if done == [Settled(compared=0, followed=0)] * len(due):  # what is left can't be opened
                        wait = AGAIN
            except Unavailable as error:
                telemetry.log.warning("drop_waits", **described(error))
                wait = AGAIN
            except Exception as error:  # noqa: BLE001 -- the other parts of the worker are not to stop for it
                telemetry.bug(error, "")
                wait = AGAIN
            await pause(wait, stop)


async def _due(look: Begin) -> Sequence[TenantId]:
    async with look(NOBODY) as tx:
        return await tx.drop.tenants()


def _worker(tenant: TenantId) -> Caller:
    return Caller(tenant=tenant, actor=WORKER, request=str(given.new_id()))


def _key(place: Path) -> str:
    key = read_own(place).decode("ascii", "replace").strip()
    if not key or not key.isprintable():
        raise FileUnusable(f"{place.name} holds no key of the platform")
    return key


def _today(now: datetime) -> date:
    return now.astimezone(ZONE).date()


class _NothingNew(Exception):
    """There is no download."""
