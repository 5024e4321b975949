"""Where tenants are: by whose days their requests are counted."""

import asyncio

from service import given
from service.audit import AuditEvent
from service.databases import migrated, need_owner
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.kernel import TenantId
from service.operations import UnknownTenant, as_operator, tenant_named, within
from service.postgres import DatabaseUrls
from service.settings import Settings
from service.transaction import Begin


def place_tenant(settings: Settings, name: str, place: str, time_zone: str) -> bool:
    """Say where a tenant is, by whose days requests are counted; return whether that is news.

    What was received before keeps the place and the zone it was received with.

    Raises:
        UnknownTenant, UnknownPlace, UnknownZone
    """
    tenant = tenant_named(name)
    with migrated(settings) as urls:
        return store_seat(urls, tenant, place, time_zone)


def store_seat(urls: DatabaseUrls, tenant: TenantId, place: str, time_zone: str) -> bool:
    async def store(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
            if moved := await tx.tenants.put_seat(place, time_zone):
                await tx.audit.append(event=AuditEvent.TENANT_PLACED, object_id=tenant, by=as_operator(tenant))
            return moved

    statutes(given.BUILD, read_policy(given.BUILD)).check_seat(place, time_zone)
    need_owner(urls)
    return asyncio.run(within(urls.owner, store))
