"""Data directories that were in use once: the first start takes longest, and most tests are about later ones."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from psycopg_pool import AsyncConnectionPool

from service import db
from service.audit.log_keys import LogKeys
from service.audit.published import PublishedFiles
from service.kernel import Caller, NewId
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.transaction import Begin, opener
from tests.conftest import Database, FakeClock
from tests.erasing import People
from tests.integration.postgres_trials import copy, run


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied."""
    data = tmp_path_factory.mktemp("stopped")
    with EmbeddedPostgres(data) as urls:
        run(urls.owner, "CREATE TABLE kept (number integer)")
    return data


@pytest.fixture(scope="session")
def data(stopped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Passed from test to test: whatever one did to it, the next start has to cope."""
    return copy(stopped, tmp_path_factory.mktemp("passed on"))


@pytest.fixture
def own_data(stopped: Path, tmp_path: Path) -> Path:
    """To be broken beyond repair."""
    return copy(stopped, tmp_path / "data")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, DatabaseUrls]]:
    """One server for all tests that do it no harm; its data directory was there before, with a mode of its own."""
    data = tmp_path_factory.mktemp("served")
    data.chmod(0o751)
    with EmbeddedPostgres(data) as urls:
        yield data, urls


@pytest.fixture
async def worker_pool(database: Database) -> AsyncIterator[AsyncConnectionPool]:
    """Connections of the worker, who alone adds to the tree of the audit log."""
    async with db.pool(database.urls.worker) as pool:
        yield pool


@pytest.fixture
def log_keys(tmp_path: Path) -> LogKeys:
    return LogKeys.open(tmp_path / "log.keys", make=True)


@pytest.fixture
def published(tmp_path: Path) -> PublishedFiles:
    return PublishedFiles(tmp_path / "checkpoints")


@pytest.fixture
async def people(
    database: Database, tmp_path: Path, begin: Begin, clock: FakeClock, new_id: NewId, caller: Caller
) -> AsyncIterator[People]:
    """People of the tenant, and the worker who erases them."""
    engine = db.engine(database.urls.worker, size=2)
    yield People(begin, opener(engine, clock, new_id), tmp_path / "root.keys", clock, new_id, caller)
    await engine.dispose()
