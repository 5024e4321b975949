"""What the commands about tenants and tokens do, and what all commands reach the database by."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

import msgspec

from service import db, given
from service.audit import AuditEvent
from service.databases import connect, migrated, need_owner
from service.kernel import SCOPES, Caller, DomainError, SubjectRef, TenantId, TenantName
from service.postgres import DatabaseUrls
from service.reveals.token import Recipient
from service.settings import InvalidSettings, Settings
from service.transaction import Begin, opener
from service.web.local_issuer import CLIENT, LocalIssuer
from service.web.tokens import SELF

T = TypeVar("T")

OPERATOR = "operator"
"""The actor of what is done from the command line."""


class UnknownTenant(DomainError):
    """The installation serves no such tenant."""

    code = "unknown_tenant"


class UnusableName(DomainError):
    """A tenant, subject or scope is not written as it must be."""

    code = "unusable_name"


def as_operator(tenant: TenantId) -> Caller:
    return Caller(tenant=tenant, actor=OPERATOR, request=str(given.new_id()))


def add_tenant(settings: Settings, name: str) -> bool:
    """Add a tenant and return whether it was new."""
    tenant = tenant_named(name)
    with migrated(settings) as urls:
        return store_tenant(urls, tenant)


def store_tenant(urls: DatabaseUrls, tenant: TenantId) -> bool:
    async def store(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if added := await tx.tenants.add():
                await tx.audit.append(event=AuditEvent.TENANT_ADDED, object_id=tenant, by=as_operator(tenant))
            return added

    need_owner(urls)
    return asyncio.run(within(urls.owner, store))


def set_erasing(settings: Settings, name: str, *, hides: bool) -> bool:
    """Say whether ids of erased people are hidden from now on; return whether that is news.

    Raises:
        UnknownTenant
    """
    tenant = tenant_named(name)

    async def store(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
            if moved := await tx.tenants.put_hiding(hides):
                await tx.audit.append(event=AuditEvent.TENANT_ERASING_SET, object_id=tenant, by=as_operator(tenant))
            return moved

    with migrated(settings) as urls:
        need_owner(urls)
        return asyncio.run(within(urls.owner, store))


def list_tenants(settings: Settings) -> list[str]:
    with migrated(settings) as urls:
        return tenants_of(urls)


def sign_token(
    settings: Settings, name: str, scope: str, subject: str | None, ttl: timedelta, client: str = CLIENT
) -> str:
    """Return a token of the local issuer, and leave an audit entry that it was issued."""
    if not settings.local_issuer:
        raise InvalidSettings("VOLENS_LOCAL_ISSUER is off: the service would not accept a token of the local key")
    tenant, scopes = tenant_named(name), scope.split()
    if not scopes or not set(scopes) <= {*SCOPES, SELF}:
        raise UnusableName(f"scopes are {', '.join(SCOPES)} and {SELF}")
    if (subject is not None) != (SELF in scopes):
        raise UnusableName("--subject and the scope `self` go together")
    if subject is not None:
        written(subject, SubjectRef, "a subject is 1 to 128 of A-Z a-z 0-9 . _ : -")
    written(client, Recipient, "a client is 1 to 128 of A-Z a-z 0-9 . _ : / | -")
    with migrated(settings) as urls:
        return issue_token(settings, urls, tenant, " ".join(scopes), subject, ttl, client)


def issue_token(
    settings: Settings,
    urls: DatabaseUrls,
    tenant: TenantId,
    scope: str,
    subject: str | None,
    ttl: timedelta,
    client: str = CLIENT,
) -> str:
    """Sign what `sign_token` has checked. The entry comes first: no token exists of which the log knows nothing."""
    issuer = LocalIssuer.open(settings.data, settings.audience)
    token_id = given.new_id()

    async def note(begin: Begin) -> None:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {tenant}; `volens tenant add {tenant}` makes it")
            await tx.audit.append(event=AuditEvent.TOKEN_ISSUED, object_id=str(token_id), by=as_operator(tenant))

    asyncio.run(within(urls.app, note))
    return issuer.sign(
        tenant=tenant,
        scope=scope,
        subject=subject or OPERATOR,
        ttl=ttl,
        now=given.utc_now(),
        new_id=lambda: token_id,
        client=client,
    )


def tenants_of(urls: DatabaseUrls) -> list[str]:
    need_owner(urls)
    with connect(urls.owner) as connection:
        return [name for (name,) in connection.execute("SELECT id FROM tenant ORDER BY id")]


def tenants_named(urls: DatabaseUrls, name: str | None) -> list[TenantId]:
    """Return every tenant, or the one of this name.

    Raises:
        UnknownTenant, OwnerNeeded
    """
    known = [TenantId(each) for each in tenants_of(urls)]
    wanted = known if name is None else [tenant_named(name)]
    if not set(wanted) <= set(known):
        raise UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
    return wanted


@asynccontextmanager
async def transactions(url: str, *, snapshots: bool = False) -> AsyncIterator[Begin]:
    """Lend what opens transactions. With `snapshots` each sees one instant, whoever writes meanwhile."""
    engine = db.engine(url, size=2)
    seen = engine.execution_options(isolation_level="REPEATABLE READ") if snapshots else engine
    try:
        yield opener(seen, given.utc_now, given.new_id)
    finally:
        await engine.dispose()


async def within(url: str, work: Callable[[Begin], Awaitable[T]]) -> T:
    """Return what `work` returns, done over transactions of its own."""
    async with transactions(url) as begin:
        return await work(begin)


def tenant_named(name: str) -> TenantId:
    written(name, TenantName, "a tenant's name is 1 to 63 lower-case letters, digits and hyphens")
    return TenantId(name)


def written(text: str, kind: object, rule: str) -> None:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        raise UnusableName(rule) from None
