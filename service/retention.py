"""What is past its retention goes: `volens vault expire`, and the worker by itself."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from service import app, operations
from service.bridges import known_tenant
from service.databases import migrated
from service.settings import Settings
from service.telemetry import Telemetry
from service.vault.expiring import ExpireVersions
from service.vault.retention import Expired, Retained

WORKER = "worker"
"""The actor of what the worker does by itself."""


async def expire(settings: Settings, tenant: str | None, progress_on: Console, *, dry: bool) -> Sequence[Expired]:
    """Remove the versions of all tenants, or of one, that are past their retention; with `dry`, only count them.

    Raises:
        UnknownTenant
    """
    wanted = None if tenant is None else operations.tenant_named(tenant)
    with migrated(settings) as urls:
        if wanted is not None:
            async with operations.transactions(urls.app) as begin:
                if not await known_tenant(begin)(wanted):
                    raise operations.UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
        columns = SpinnerColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=progress_on, transient=True, disable=not progress_on.is_terminal) as progress:
            task = progress.add_task("versions past their retention")

            def advanced(each: Retained, count: int) -> None:
                progress.update(task, description=f"{each.field} of {each.tenant}: {count}")

            async with operations.transactions(urls.worker) as begin:
                run = ExpireVersions(begin, app.utc_now, app.new_id)
                return await run(advanced, actor=operations.OPERATOR, tenant=wanted, dry=dry)


async def expire_by_itself(url: str, telemetry: Telemetry) -> None:
    """Remove them as the worker, and tell how many those were."""
    async with operations.transactions(url) as begin:
        for each in await ExpireVersions(begin, app.utc_now, app.new_id)(lambda *_: None, actor=WORKER):
            if each.removed:
                telemetry.versions_expired(each.tenant, each.removed)
