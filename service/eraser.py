"""Composition root of what erases people: a part of `volens work`, beside the exporter."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from msgspec import Struct

from service import db, given, operations
from service.connecting import assigning
from service.consent import AppendRecords, StoreRecords
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.erasing import Systems, carried_out, planner
from service.erasures import Remains, RunErasure, Stage
from service.grouped import Grouped
from service.kernel import TenantId, Unavailable
from service.postgres import DatabaseUrls
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.stopping import pause
from service.telemetry import Telemetry, described
from service.teller import introducing
from service.tenants import NOBODY
from service.transaction import Begin, opener
from service.vault import Forget, Unreadable
from service.vault.envelope import unseal

PAUSE: Final = 1.0
"""Seconds between two looks for erasures."""
AGAIN: Final = 30.0
"""Seconds after which one is tried again that a hold, a connected system or a fault keeps from going on."""
AT_ONCE: Final = 4
"""Erasures that go on side by side."""
STUCK: Final = "stuck"

Due = tuple[TenantId, UUID]


class Tools(Struct, frozen=True):
    """What people are erased with."""

    transaction: Begin
    run: RunErasure
    forget: Forget
    append: AppendRecords


@asynccontextmanager
async def eraser(settings: Settings, urls: DatabaseUrls) -> AsyncIterator[Tools]:
    """Lend what carries erasures out, with connections and a key ring of its own."""
    policy = read_policy(given.BUILD)
    engine, removing = db.engine(urls.app, size=AT_ONCE + 1), db.engine(urls.worker, size=2)
    begin = opener(engine, given.utc_now, given.new_id)
    try:
        async with (
            guarded_root_keys(settings, root_uses(begin), make=False) as root,
            db.pool(urls.app, size=1) as pool,
        ):
            keys = vault_keys(settings, root, engine)
            store_records = StoreRecords(begin, given.utc_now, policy.vocabulary)
            law = statutes(given.BUILD, policy)
            introduce = introducing(begin, keys, pool, given.utc_now, given.new_id)
            systems = Systems(introduce, assigning(settings, given.utc_now, given.new_id), law, given.utc_now)
            run = carried_out(
                begin,
                opener(removing, given.utc_now, given.new_id),
                planner(given.BUILD, policy, law, systems),
                systems,
                keys,
                store_records,
                given.utc_now,
                given.new_id,
            )
            yield Tools(begin, run, Forget(begin, keys, unseal, given.utc_now), AppendRecords(Grouped(store_records)))
    finally:
        await engine.dispose()
        await removing.dispose()


async def erase_by_itself(settings: Settings, urls: DatabaseUrls, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Go on with erasures until `stop` is set. A lost database or key ring is waited for."""
    rounds = Rounds(telemetry)
    async with operations.transactions(urls.worker) as look:
        while not stop.is_set():
            try:
                if due := await rounds.due(look):
                    async with eraser(settings, urls) as tools:
                        while due and not stop.is_set():
                            await rounds.go_on(tools.run, due)
                            due = await rounds.due(look)
                await pause(PAUSE, stop)
            except Unavailable as error:
                telemetry.log.warning("eraser_waits", **described(error))
                await pause(AGAIN, stop)


class Rounds:
    """Remembers which erasures can't go on, and until when they are left alone. A new process tries them at once."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._later: dict[Due, tuple[float, str]] = {}

    async def due(self, look: Begin) -> list[Due]:
        """Return those that are to go on now, and publish how many don't."""
        async with look(NOBODY) as tx:
            known = await tx.erasures.due()
        now = asyncio.get_running_loop().time()
        self._later = {each: found for each, found in self._later.items() if each in set(known)}
        self._telemetry.erasures(Counter(why for _, why in self._later.values()))
        return [each for each in known if each not in self._later or self._later[each][0] <= now]

    async def go_on(self, run: RunErasure, due: list[Due]) -> None:
        """Go on with each as far as it goes."""
        waiting = iter(due)

        async def work() -> None:
            for each in waiting:
                self._leave(each, await self._one(run, each))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    async def _one(self, run: RunErasure, each: Due) -> str:
        tenant, _ = each
        try:
            return await run(*each)
        except Remains as remains:
            self._telemetry.erasure_stuck(tenant, str(remains))
        except (Unavailable, Unreadable) as error:
            self._telemetry.erasure_stuck(tenant, type(error).__name__)
        except Exception as error:  # noqa: BLE001 -- one person's fault is not to stop the others' erasures
            self._telemetry.bug(error, "")
        return STUCK

    def _leave(self, each: Due, why: str) -> None:
        if why == Stage.ENDED:
            self._later.pop(each, None)
        else:
            self._later[each] = asyncio.get_running_loop().time() + AGAIN, str(why)
