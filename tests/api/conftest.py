"""The whole application, asked through ASGI as a client would, on the clock of the test."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import psycopg
import pytest
from aiohttp import web
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service import app, db, operations
from service.audit.asked import poster
from service.audit.attesting_store import SqlLogs
from service.audit.cosigning import AskWitness
from service.audit.growing import GrowTree
from service.audit.notes import Key, parse_keys
from service.audit.published import PublishedFiles
from service.audit.quorum import Witness
from service.audit.rfc3161 import Authorities
from service.audit.stamping import StampTree
from service.audit.tree_store import growing
from service.audit.verifier import Verifier
from service.connecting import assigning, bringing, guard
from service.courier import Courier
from service.decisions.artefacts import read_policy
from service.decisions.wasm import WasmPolicyEngine, embedded
from service.downstreams import Identity, Person, TaskKind
from service.downstreams.outgoing import outgoing
from service.export_parts import files_of
from service.exporter import Writer
from service.exports.running import RunExports
from service.given import BUILD
from service.kernel import Caller, Handle, TenantId
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.sequencer import log_keys
from service.settings import Settings
from service.telemetry import Telemetry
from service.teller import Teller, telling
from service.transaction import Begin, opener
from service.web.local_issuer import LocalIssuer
from tests.audited import WITNESS
from tests.conftest import SCOPES, Database, FakeClock
from tests.erasing import running
from tests.parcelled import tending
from tests.timestamping import Authority
from tests.vaulted import Put, putter
from tests.witnessing import answering, cosignature

KEEP = timedelta(hours=72)
"""How long the file of an export lies."""


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


@pytest.fixture(scope="session")
def shipped() -> Iterator[WasmPolicyEngine]:
    """The embedded engine with the shipped policy, which remembers nothing: one for all sites."""
    engine = embedded(BUILD, read_policy(BUILD))
    yield engine
    engine.close()


@pytest.fixture
async def site(
    settings: Settings, database: Database, clock: FakeClock, log: BytesIO, shipped: WasmPolicyEngine
) -> AsyncIterator[Litestar]:
    telemetry = Telemetry(clock, stream=log)
    engine = None if settings.opa_url else shipped
    async with app.running(settings, database.urls, telemetry, clock=clock, shipped=engine) as site:
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


@pytest.fixture
async def attest(
    database: Database, tmp_path: Path, clock: FakeClock, tenant: TenantId
) -> AsyncIterator[Callable[[], Awaitable[Key]]]:
    """Has a witness, and a time-stamp authority, sign what the log signed last; returns the witness's key."""
    authority = Authority(tmp_path / "authority")
    async with db.pool(database.urls.worker) as pool, aiohttp.ClientSession() as session:
        logs, stamper = SqlLogs(pool), Authorities.of(authority.roots.read_bytes())

        async def attest() -> Key:
            async with answering(lambda asked: web.Response(text=cosignature(asked, WITNESS, clock()))) as url:
                await AskWitness(Witness("w", WITNESS.key, url), logs, poster(session), clock)(tenant, 0)
            async with answering(lambda asked: web.Response(body=authority.reply(asked.encode("latin-1")))) as url:
                await StampTree(f"{url}/add-checkpoint", logs, poster(session), stamper)(tenant)
            return WITNESS.key

        yield attest


@pytest.fixture
def log_key(client: httpx.AsyncClient, tenant: TenantId) -> Callable[[], Awaitable[str]]:
    """Reads the verifier key of the tenant's log."""

    async def read() -> str:
        answer = await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})
        return next(str(key["verifier_key"]) for key in answer.json()["keys"] if "/receipts" not in key["verifier_key"])

    return read


@pytest.fixture
async def courier(
    settings: Settings, database: Database, engine: AsyncEngine, begin: Begin, clock: FakeClock, log: BytesIO
) -> AsyncIterator[Courier]:
    """Brings tasks to connected systems, as the worker does."""
    async with (
        operations.transactions(database.urls.worker) as look,
        guarded_root_keys(settings, root_uses(begin)) as root,
        outgoing(guard(settings), limit=1.0) as send,
    ):
        keys = vault_keys(settings, root, engine, clock)
        bring = bringing(settings, begin, keys, send, clock, uuid7)
        courier = Courier(look, bring, Telemetry(clock, stream=log), clock)
        yield courier
        await courier.stop()


@pytest.fixture
async def tell(
    settings: Settings, database: Database, engine: AsyncEngine, begin: Begin, clock: FakeClock, log: BytesIO
) -> AsyncIterator[Teller]:
    """Gives systems the tasks that requests bring with them, as the worker does."""
    async with (
        operations.transactions(database.urls.worker) as look,
        guarded_root_keys(settings, root_uses(begin)) as root,
        db.pool(database.urls.app, size=1) as pool,
    ):
        keys = vault_keys(settings, root, engine, clock)
        yield Teller(look, telling(settings, begin, keys, pool, clock, uuid7), Telemetry(clock, stream=log))


@pytest.fixture
def assign(
    settings: Settings, engine: AsyncEngine, begin: Begin, clock: FakeClock, caller: Caller
) -> Callable[..., Awaitable[UUID]]:
    """Tells the systems something about Ada, as a case does; returns the id of the case."""

    async def assign(kind: TaskKind = TaskKind.ERASE, handle: Handle | None = None, **person: Any) -> UUID:
        request, whose = uuid7(), handle or Handle(uuid7())
        ada = Person(**{"subjects": ("ada",), "identities": (Identity("email", "ada@mail.example"),), **person})
        async with guarded_root_keys(settings, root_uses(begin)) as root:
            key = await vault_keys(settings, root, engine, clock).box_key(caller.tenant)
        async with begin(caller.tenant) as tx:
            await assigning(settings, clock, uuid7)(tx, key, request, whose, kind, ada, by=caller)
        return request

    return assign


@pytest.fixture
def run(settings: Settings, database: Database, begin: Begin, clock: FakeClock) -> RunExports:
    files = files_of(settings)
    return RunExports(begin, Writer(settings, database.urls, files), files, clock, uuid7, keep=KEEP)


@pytest.fixture
def work(run: RunExports, sequence: Callable[[], Awaitable[None]], tenant: TenantId) -> Callable[[], Awaitable[None]]:
    """Does what the worker does: places entries, writes exports, removes what is over."""

    async def work() -> None:
        await sequence()
        await run.expire(tenant)
        while await run(tenant):
            pass

    return work


@pytest.fixture
async def erase(
    database: Database, root_keys: Path, begin: Begin, clock: FakeClock, tenant: TenantId
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Goes on with every erasure of the tenant, as the worker does."""
    engine = db.engine(database.urls.worker, size=2)
    removing = opener(engine, clock, uuid7)

    async def erase() -> None:
        async with removing(tenant) as tx:
            due = await tx.erasures.due()
        for whose, request in due:
            if whose == tenant:
                await running(begin, removing, root_keys, clock, uuid7)(tenant, request)

    yield erase
    await engine.dispose()


@pytest.fixture
def pack(
    settings: Settings, database: Database, begin: Begin, clock: FakeClock, tenant: TenantId
) -> Callable[[], Awaitable[None]]:
    """Does what the worker does for packages."""
    tend = tending(settings, database.urls, begin, clock)
    return lambda: tend(tenant)


@pytest.fixture
async def judge(client: httpx.AsyncClient, tenant: TenantId) -> Callable[[bytes], Awaitable[list[str]]]:
    async def judge(content: bytes) -> list[str]:
        lines = (await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})).json()["keys"]
        verifier = Verifier(parse_keys("".join(f"{line['verifier_key']}\n" for line in lines)))
        if zipfile.is_zipfile(io.BytesIO(content)):
            verifier.pack(zipfile.ZipFile(io.BytesIO(content)), "pack")
        else:
            assert verifier.file(io.BytesIO(content), "file")
        assert verifier.report.findings == []
        return verifier.report.proved

    return judge
