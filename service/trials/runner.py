"""Runs trials beside the requests of a process, one after the other."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from service.kernel import TenantId, Unavailable

Run = Callable[[TenantId], Awaitable[bool]]
"""Goes on with one trial of a tenant, and returns whether there was one."""
Report = Callable[[BaseException, str], None]


class Runner:
    """Goes on with the trials of whoever was woken, in turns, until none is left.

    The database shows one tenant at a time, so nobody can look for work that others left:
    a trial whose runner died is taken up by the process that is next asked about it.
    """

    def __init__(self, run: Run, report: Report) -> None:
        self._run = run
        self._report = report
        self._waiting: dict[TenantId, None] = {}
        self._task: asyncio.Task[None] | None = None

    def wake(self, tenant: TenantId) -> None:
        self._waiting[tenant] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            tenant = next(iter(self._waiting))
            del self._waiting[tenant]
            try:
                if await self._run(tenant):
                    self._waiting[tenant] = None
            except Unavailable:
                continue  # whoever asks next about a trial wakes us again
            except Exception as error:  # noqa: BLE001 -- one tenant's fault is not to stop the others' trials
                self._report(error, "")

    async def stop(self) -> None:
        """End what runs. Its trial is left to the next who asks."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
