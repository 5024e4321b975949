"""One embedded PostgreSQL per run, one database per test file, and the clock that tests own."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service.kernel import Caller, TenantId
from tests.absent import lacking

if TYPE_CHECKING:  # pure tests don't load the database
    from service.postgres import DatabaseUrls
    from service.transaction import Begin

TEMPLATE = "volens_template"
SCOPES = """
    decide audiences records:write records:read records:export subjects:write requests:write requests:manage
    downstreams:manage downstreams:tasks
    vault:write vault:read vault:lookup vault:reveal vault:officer
    audit:read audit:hold audit:export policy:read policy:write admin
"""


class Database(msgspec.Struct, frozen=True):
    urls: "DatabaseUrls"


class FakeClock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def as_root() -> None:
    """Run the test as root only."""
    if os.geteuid() != 0:
        lacking("only root can be somebody else, or give files away")


@contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[DatabaseUrls]":
    """Start the server once per run. Whichever xdist worker started it stays until the others have finished."""
    from service import migrate
    from service.postgres import DatabaseUrls, EmbeddedPostgres

    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    published, users = run / "postgres.json", run / "postgres.users"
    started: EmbeddedPostgres | None = None
    with locked(run / "postgres.lock"):
        if published.exists():
            urls = msgspec.json.decode(published.read_bytes(), type=DatabaseUrls)
        else:
            started = EmbeddedPostgres(run / "postgres")
            urls = started.start()
            try:
                with psycopg.connect(urls.admin, autocommit=True) as connection:
                    # nobody pulls the plug of this one: no commit has to wait for the disk
                    connection.execute("ALTER ROLE ALL SET synchronous_commit = off")
                _create(urls, TEMPLATE)
                migrate.upgrade(at(urls, TEMPLATE).owner)
            except BaseException:
                started.stop()
                raise
            published.write_bytes(msgspec.json.encode(urls))
        using = users.open("a")
        fcntl.flock(using, fcntl.LOCK_SH)
    yield urls
    using.close()
    if started is not None:
        with locked(users):
            started.stop()


def at(urls: "DatabaseUrls", name: str) -> "DatabaseUrls":
    """Return the same server's addresses for the database `name`."""

    def moved(url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    return type(urls)(owner=moved(urls.owner), app=moved(urls.app), worker=moved(urls.worker), admin=moved(urls.admin))


def _create(urls: "DatabaseUrls", name: str, template: str = "template0") -> None:
    with psycopg.connect(urls.admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER volens_owner TEMPLATE {template}")


@pytest.fixture(scope="session")
def new_database(server: "DatabaseUrls") -> "Callable[..., DatabaseUrls]":
    """Makes a database of its own; migrated to head unless `empty`."""

    def create(*, empty: bool = False) -> "DatabaseUrls":
        name = f"volens_{uuid4().hex}"
        _create(server, name, "template0" if empty else TEMPLATE)
        return at(server, name)

    return create


@pytest.fixture(scope="module")
def database(new_database: "Callable[..., DatabaseUrls]") -> Database:
    return Database(urls=new_database())


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    from service import db

    engine = db.engine(database.urls.app)
    yield engine
    await engine.dispose()


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[AsyncConnectionPool]:
    from service import db

    async with db.pool(database.urls.app) as pool:
        yield pool


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def new_id() -> Callable[[], UUID]:
    return uuid7


@pytest.fixture
def begin(engine: AsyncEngine, clock: FakeClock, new_id: Callable[[], UUID]) -> "Begin":
    from service.transaction import opener

    return opener(engine, clock, new_id)


@pytest.fixture
def add_tenant(database: Database, clock: FakeClock) -> Callable[[], TenantId]:
    """Makes tenants, as the operator does."""

    def add() -> TenantId:
        tenant = TenantId(f"t-{uuid4().hex[:12]}")
        with psycopg.connect(database.urls.owner) as connection:
            connection.execute("INSERT INTO tenant (id, created_at) VALUES (%s, %s)", (tenant, clock()))
        return tenant

    return add


@pytest.fixture
def tenant(add_tenant: Callable[[], TenantId]) -> TenantId:
    return add_tenant()


@pytest.fixture
def caller(tenant: TenantId) -> Caller:
    return Caller(tenant=tenant, actor="shop-backend", request="req-1", scopes=frozenset(SCOPES.split()))


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each round trip took, one after the other."""
    from service.trips import Rows, Statement, Trips

    counts: list[int] = []
    send = Trips._sent

    async def counted(self: Trips, statements: Sequence[Statement]) -> list[Rows]:
        counts.append(len(statements))
        return await send(self, statements)

    monkeypatch.setattr(Trips, "_sent", counted)
    return counts
