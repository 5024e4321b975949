"""What the commands do, one function each: the database found or started, tenants, tokens, checks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import psycopg
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.exc import OperationalError

from service import app, db
from service import migrate as migrations
from service.audit import AuditEvent
from service.consent import RebuildState
from service.decisions import CheckResult, PolicyEngine, check_cases
from service.decisions.artefacts import read_policy
from service.kernel import Caller, DomainError, SubjectRef, TenantId, TenantName, Unavailable
from service.opa_process import opa_server
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.settings import Settings
from service.transaction import Begin, opener
from service.web.local_issuer import LocalIssuer

T = TypeVar("T")

SCOPES = frozenset(
    [
        "decide",
        "records:write",
        "records:read",
        "subjects:write",
        "vault:write",
        "vault:reveal",
        "requests:write",
        "requests:manage",
        "audit:read",
        "audit:export",
        "policy:read",
        "admin",
        "self",
    ]
)
OPERATOR = "operator"
"""The actor of what is done from the command line."""


class UnknownTenant(DomainError):
    """The installation serves no such tenant."""

    code = "unknown_tenant"


class UnusableName(DomainError):
    """A tenant, subject or scope is not written as it must be."""

    code = "unusable_name"


@contextmanager
def database(settings: Settings) -> Iterator[DatabaseUrls]:
    """Yield the database's addresses: of the server that is set, of the embedded one that runs, or of one we start."""
    if settings.database_url:
        yield external(settings, settings.database_url)
    elif urls := EmbeddedPostgres.running(settings.data):
        yield urls
    else:
        with EmbeddedPostgres(settings.data) as urls:
            yield urls


def external(settings: Settings, url: str) -> DatabaseUrls:
    """Return the addresses of a server of the operator's.

    Where only one address is set, its user takes on the role of each part
    (`SET ROLE`), so that row-level security and grants bind all the same.
    """
    owner, worker = settings.owner_database_url, settings.worker_database_url
    return DatabaseUrls(
        owner=owner or url,
        app=url if owner else db.as_role(url, "volens_app"),
        worker=worker or db.as_role(url, "volens_worker"),
        admin=owner or url,
    )


def migrate(settings: Settings) -> None:
    with database(settings) as urls:
        apply_migrations(urls)


def apply_migrations(urls: DatabaseUrls) -> None:
    """Bring the database to the present schema.

    Raises:
        Unavailable: it does not answer.
    """
    try:
        migrations.upgrade(urls.owner)
    except OperationalError as error:
        raise Unavailable("the database does not answer, or refuses the owner's address") from error


def as_operator(tenant: TenantId) -> Caller:
    return Caller(tenant=tenant, actor=OPERATOR, request=str(app.new_id()))


def add_tenant(settings: Settings, name: str) -> bool:
    """Add a tenant and return whether it was new."""
    tenant = _tenant(name)

    async def add(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if added := await tx.tenants.add():
                await tx.audit.append(event=AuditEvent.TENANT_ADDED, object_id=tenant, by=as_operator(tenant))
            return added

    with database(settings) as urls:
        apply_migrations(urls)
        return asyncio.run(_within(urls.owner, add))


def list_tenants(settings: Settings) -> list[str]:
    with database(settings) as urls:
        apply_migrations(urls)
        return _tenants(urls)


def sign_token(settings: Settings, name: str, scope: str, subject: str | None, ttl: timedelta) -> str:
    """Return a token of the local issuer, and leave an audit entry that it was issued."""
    tenant, scopes = _tenant(name), scope.split()
    if not scopes or not set(scopes) <= SCOPES:
        raise UnusableName(f"scopes are {', '.join(sorted(SCOPES))}")
    if (subject is not None) != ("self" in scopes):
        raise UnusableName("--subject and the scope `self` go together")
    if subject is not None:
        _written(subject, SubjectRef, "a subject is 1 to 128 of A-Z a-z 0-9 . _ : -")
    token_id = app.new_id()

    async def note(begin: Begin) -> None:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {tenant}; `volens tenant add {tenant}` makes it")
            await tx.audit.append(event=AuditEvent.TOKEN_ISSUED, object_id=str(token_id), by=as_operator(tenant))

    with database(settings) as urls:
        apply_migrations(urls)
        asyncio.run(_within(urls.app, note))
    return LocalIssuer.open(settings.data, settings.audience).sign(
        tenant=tenant,
        scope=" ".join(scopes),
        subject=subject or OPERATOR,
        ttl=ttl,
        now=app.utc_now(),
        new_id=lambda: token_id,
    )


async def rebuild_states(settings: Settings, name: str | None, check: bool, progress_on: Console) -> tuple[int, int]:
    """Fold every history again; return how many subjects were seen and how many states differed."""
    with database(settings) as urls:
        apply_migrations(urls)
        tenants = [_tenant(name)] if name else [TenantId(known) for known in _tenants(urls)]
        seen = differing = 0
        async with _transactions(urls.app) as begin:
            rebuild = RebuildState(begin, read_policy(app.BUILD).vocabulary)
            with Progress(console=progress_on, transient=True) as progress:
                for tenant in progress.track(tenants, description="tenants"):
                    rebuilt = await rebuild(check=check, by=as_operator(tenant))
                    seen += rebuilt.subjects
                    differing += rebuilt.differing
    return seen, differing


def _tenants(urls: DatabaseUrls) -> list[str]:
    try:
        with psycopg.connect(urls.owner) as connection:
            return [name for (name,) in connection.execute("SELECT id FROM tenant ORDER BY id")]
    except psycopg.OperationalError as error:
        raise Unavailable("the database does not answer") from error


def shown_policy() -> tuple[str, list[dict[str, object]]]:
    """Return the revision and the rules of the policy that this version ships."""
    rules = msgspec.json.decode((app.BUILD / "rules.json").read_bytes())
    return (app.BUILD / "revision").read_text().strip(), rules


async def play(settings: Settings, files: Sequence[Path], engine: str) -> CheckResult:
    """Play the cases in `files` against an engine."""
    lines = [line for file in files for line in file.read_text().splitlines() if line.strip()]
    async with _engine(settings, engine) as asked:
        return await check_cases(lines, asked)


@asynccontextmanager
async def _engine(settings: Settings, engine: str) -> AsyncIterator[PolicyEngine]:
    policy = read_policy(app.BUILD)
    if engine == "embedded" or settings.opa_url:
        chosen = settings if engine == "opa" else msgspec.structs.replace(settings, opa_url=None)
        async with app.policy_engine(chosen, policy) as asked:
            yield asked
        return
    with opa_server(app.BUILD / "bundle.tar.gz") as url:
        async with app.policy_engine(msgspec.structs.replace(settings, opa_url=url), policy) as asked:
            yield asked


@asynccontextmanager
async def _transactions(url: str) -> AsyncIterator[Begin]:
    engine = db.engine(url, size=2)
    try:
        yield opener(engine, app.utc_now, app.new_id)
    finally:
        await engine.dispose()


async def _within(url: str, work: Callable[[Begin], Awaitable[T]]) -> T:
    async with _transactions(url) as begin:
        return await work(begin)


def _tenant(name: str) -> TenantId:
    _written(name, TenantName, "a tenant's name is 1 to 63 lower-case letters, digits and hyphens")
    return TenantId(name)


def _written(text: str, kind: object, rule: str) -> None:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        raise UnusableName(rule) from None
