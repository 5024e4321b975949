"""What is past its retention goes: `volens vault expire`, `volens audit expire`, and the worker by itself."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from service import given, operations
from service.audit import Content
from service.audit.expiring import Advanced, ExpireContent
from service.audit.keeping import Outcome, Period, UnusablePeriods, checked
from service.bridges import known_tenant
from service.consent.expiring import ExpireRecords
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.kernel import TenantId, Unavailable
from service.settings import Settings
from service.telemetry import Telemetry
from service.tenants import NOBODY
from service.transaction import Begin
from service.vault.expiring import ExpireVersions
from service.vault.retention import Expired, Retained

WORKER = "worker"
"""The actor of what the worker does by itself."""
PERIODS: Final = given.POLICIES / "retention.json"
"""How long the law has content kept, each period with its source."""


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
                run = ExpireVersions(begin, given.utc_now, given.new_id)
                return await run(advanced, actor=operations.OPERATOR, tenant=wanted, dry=dry)


async def expire_by_itself(url: str, telemetry: Telemetry) -> None:
    """Remove them as the worker, and tell how many those were."""
    async with operations.transactions(url) as begin:
        for each in await ExpireVersions(begin, given.utc_now, given.new_id)(lambda *_: None, actor=WORKER):
            if each.removed:
                telemetry.versions_expired(each.tenant, each.removed)


async def expire_content(
    settings: Settings, tenant: str | None, progress_on: Console, *, dry: bool
) -> Sequence[Outcome]:
    """Remove the content of all tenants, or of one, that is past its period; with `dry`, only count it.

    Raises:
        UnknownTenant
    """
    wanted = None if tenant is None else operations.tenant_named(tenant)
    with migrated(settings) as urls:
        columns = SpinnerColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=progress_on, transient=True, disable=not progress_on.is_terminal) as progress:
            task = progress.add_task("content past its period")

            def advanced(each: TenantId, content: Content, count: int) -> None:
                progress.update(task, description=f"{content} of {each}: {count}")

            async with operations.transactions(urls.worker) as begin:
                run = ExpireAll(begin, operations.OPERATOR, advanced, dry=dry)
                tenants = await run.tenants()
                if wanted is not None and wanted not in tenants:
                    raise operations.UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
                return [outcome for each in tenants if wanted in (None, each) for outcome in await run(each)]


async def expire_content_by_itself(url: str, telemetry: Telemetry) -> None:
    """Remove it as the worker, and tell how much that was. What is wrong with one tenant's doesn't keep others'."""
    async with operations.transactions(url) as begin:
        run = ExpireAll(begin, WORKER, lambda *_: None, dry=False)
        for tenant in await run.tenants():
            try:
                outcomes = await run(tenant)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001, it is told of, and the others are due as well
                telemetry.bug(error, "")
                continue
            for each in outcomes:
                if each.removed:
                    telemetry.content_expired(each.tenant, each.content, each.removed)


async def keep_months(url: str, telemetry: Telemetry) -> None:
    """Have the months ahead made in the decision log, and those dropped that are past and empty."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        try:
            found = await connection.execute("SELECT made, dropped FROM keep_decision_months()")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            return  # others are at the log; months are made long before they are needed
        [[made, dropped]] = await found.fetchall()
    for event, months in (("log_months_made", made), ("log_months_dropped", dropped)):
        if months:
            telemetry.log.info(event, count=len(months))


async def expire_permits_by_itself(url: str) -> None:
    """Remove permits that have been over for an hour."""
    async with operations.transactions(url) as begin, begin(NOBODY) as tx:
        await tx.permits.expire(given.utc_now() - timedelta(hours=1))


class ExpireAll:
    """Expires all content of a tenant: records first, since what is left of them is what decisions are made from."""

    def __init__(self, begin: Begin, actor: str, advanced: Advanced, *, dry: bool) -> None:
        self._periods = read_periods(PERIODS)
        self._content = ExpireContent(begin, self._periods, given.utc_now, given.new_id)
        self._records = ExpireRecords(begin, read_policy(given.BUILD).vocabulary, given.new_id)
        self._actor = actor
        self._advanced = advanced
        self._dry = dry

    async def tenants(self) -> Sequence[TenantId]:
        return await self._content.tenants()

    async def __call__(self, tenant: TenantId) -> Sequence[Outcome]:
        [period] = [period for period in self._periods if period.content is Content.RECORD]
        ended_by = period.ended_by(given.utc_now())
        removed, held = await self._records(
            tenant,
            ended_by,
            lambda count: self._advanced(tenant, Content.RECORD, count),
            actor=self._actor,
            dry=self._dry,
        )
        records = Outcome(tenant=tenant, content=Content.RECORD, ended_by=ended_by, removed=removed, held=held)
        return [records, *await self._content(tenant, self._advanced, actor=self._actor, dry=self._dry)]


def read_periods(place: Path) -> Sequence[Period]:
    """Return how long content is kept.

    Raises:
        UnusablePeriods: the table is not one, and nothing may go by it.
    """
    try:
        periods = msgspec.json.decode(place.read_bytes(), type=list[Period])
    except (OSError, msgspec.MsgspecError) as error:
        raise UnusablePeriods(f"{place.name} says no periods") from error
    return checked(periods, given.utc_now())
