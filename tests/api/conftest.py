"""The whole application, asked through ASGI as a client would, on the clock of the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import httpx
import psycopg
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service import app, db
from service.audit.growing import GrowTree
from service.audit.published import PublishedFiles
from service.audit.tree_store import growing
from service.kernel import TenantId
from service.sequencer import log_keys
from service.settings import Settings
from service.telemetry import Telemetry
from service.transaction import Begin
from service.web.local_issuer import LocalIssuer
from tests.conftest import SCOPES, Database, FakeClock
from tests.vaulted import Put, putter


@pytest.fixture
def log() -> BytesIO:
    """What the service logs."""
    return BytesIO()


@pytest.fixture(scope="module")
def root_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vault's key ring: one for each database, as one belongs to the other."""
    return tmp_path_factory.mktemp("ring") / "root.keys"


@pytest.fixture
def settings(tmp_path: Path, root_keys: Path) -> Settings:
    """As the ring, the keys of the log and of receipts are one file for each database."""
    return Settings(
        data_dir=str(tmp_path),
        key_ring_path=str(root_keys),
        log_keys_path=str(root_keys.with_name("log.keys")),
        receipt_keys_path=str(root_keys.with_name("receipts.keys")),
    )


@pytest.fixture
async def site(settings: Settings, database: Database, clock: FakeClock, log: BytesIO) -> AsyncIterator[Litestar]:
    telemetry = Telemetry(clock, stream=log)
    async with app.running(settings, database.urls, telemetry, clock=clock) as site:
        yield site


@pytest.fixture
async def client_of(
    site: Litestar, settings: Settings, clock: FakeClock, tenant: TenantId
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes clients: `client_of(scope="decide")`, `client_of(subject="anna")`, `client_of(tenant=other)`."""
    issuer = LocalIssuer.open(settings.data, settings.audience)
    async with AsyncExitStack() as stack:

        def make(
            *, scope: str = SCOPES, subject: str | None = None, tenant: TenantId = tenant, token: str | None = None
        ) -> httpx.AsyncClient:
            signed = token or issuer.sign(
                tenant=tenant,
                scope="self" if subject else " ".join(scope.split()),
                subject=subject or "shop-backend",
                ttl=timedelta(days=3650),
                now=clock(),
                new_id=uuid7,
                client="shop-backend",
            )
            transport = httpx.ASGITransport(site, raise_app_exceptions=False)
            headers = {"authorization": f"Bearer {signed}"}
            client = httpx.AsyncClient(transport=transport, base_url="http://volens.example", headers=headers)
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def signed_for(
    settings: Settings, client_of: Callable[..., httpx.AsyncClient], clock: FakeClock, tenant: TenantId
) -> Callable[..., httpx.AsyncClient]:
    """Makes clients with a client id of their own: `signed_for("mailer", scope="vault:reveal")`."""
    issuer = LocalIssuer.open(settings.data, settings.audience)

    def make(actor: str, scope: str = SCOPES) -> httpx.AsyncClient:
        signed = issuer.sign(
            tenant=tenant,
            scope=" ".join(scope.split()),
            subject=actor,
            ttl=timedelta(days=3650),
            now=clock(),
            new_id=uuid7,
            client=actor,
        )
        return client_of(token=signed)

    return make


@pytest.fixture
def put(root_keys: Path, engine: AsyncEngine, begin: Begin, clock: FakeClock, tenant: TenantId) -> Put:
    """Seals values past the service: `await put("anna", {"email": "anna@mail.example"})`."""
    return putter(root_keys, engine, begin, clock, tenant)


@pytest.fixture
def seat(database: Database) -> Callable[[TenantId], None]:
    """Says where a tenant is, as the operator does."""

    def seat(tenant: TenantId) -> None:
        with psycopg.connect(database.urls.owner) as connection:
            connection.execute(
                "UPDATE tenant SET place = 'DE-BE', time_zone = 'Europe/Berlin' WHERE id = %s", (tenant,)
            )

    return seat


@pytest.fixture
def seated(seat: Callable[[TenantId], None], tenant: TenantId) -> None:
    """The operator has said where the tenant is."""
    seat(tenant)


@pytest.fixture
def client(client_of: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    """A client with every scope of `tenant`."""
    return client_of()


@pytest.fixture
async def sequence(
    database: Database, settings: Settings, clock: FakeClock, tmp_path: Path, tenant: TenantId
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Gives what waits its place, as the worker does."""
    async with db.pool(database.urls.worker) as pool:
        keys = await log_keys(settings, pool)
        grow = GrowTree(settings.log_name, growing(pool), keys.signer, PublishedFiles(tmp_path / "published"), clock)

        async def sequence() -> None:
            while await grow(tenant):
                pass

        yield sequence
