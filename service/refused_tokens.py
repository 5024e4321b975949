"""Tells the audit log how many tokens were refused: an entry for each tenant, reason and minute, and process.

The entry's object is REASON/MINUTE/COUNT, such as ``expired/2026-11-23T06:20Z/17``. Nothing of a token is in it, nor
where it came from. What a process that is killed had counted since it last told is lost.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

from service.audit import AuditEvent, Draft
from service.kernel import Caller, NewId, TenantId, Unavailable
from service.transaction import Begin
from service.web.failures import FailureCounts, Refused

INTERVAL: Final = 60.0
"""Seconds between two entries of a process about the same thing."""
SERVER: Final = "server"
"""The actor of what a serving process tells by itself."""


async def tell(
    counts: FailureCounts, begin: Begin, known: Callable[[TenantId], Awaitable[bool]], new_id: NewId
) -> None:
    """Write what was counted into the logs of the tenants. Where the database is silent, it waits for the next time."""
    tenants: defaultdict[TenantId, dict[Refused, int]] = defaultdict(dict)
    for refused, count in counts.take().items():
        tenants[refused.tenant][refused] = count
    for tenant, theirs in tenants.items():
        by = Caller(tenant=tenant, actor=SERVER, request=str(new_id()))
        try:
            if await known(tenant):
                async with begin(tenant) as tx:
                    await tx.audit.append_many([_draft(refused, count) for refused, count in theirs.items()], by=by)
        except Unavailable:
            counts.give_back(theirs)


def _draft(refused: Refused, count: int) -> Draft:
    object_id = f"{refused.why}/{_minute(refused.minute)}/{count}"
    return Draft(event=AuditEvent.AUTHENTICATION_FAILED, object_id=object_id)


def _minute(minute: datetime) -> str:
    return minute.strftime("%Y-%m-%dT%H:%MZ")


@asynccontextmanager
async def telling(
    counts: FailureCounts, begin: Begin, known: Callable[[TenantId], Awaitable[bool]], new_id: NewId
) -> AsyncIterator[None]:
    """Tell every minute while the block runs, and once more at its end."""

    async def for_ever() -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await tell(counts, begin, known, new_id)

    task = asyncio.create_task(for_ever())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await tell(counts, begin, known, new_id)
