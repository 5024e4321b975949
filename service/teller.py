"""Composition root of what gives connected systems the tasks that requests bring with them: beside the courier."""

import asyncio
import os
from functools import partial
from typing import Final
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from service.audit.store import statement as audit_statement
from service.connecting import assigning
from service.downstreams import Introduce
from service.kernel import Clock, NewId, TenantId, Unavailable
from service.requests import TellSystems
from service.reveals.domain import NONCE_BYTES
from service.reveals.log import SqlRevealLog
from service.settings import Settings
from service.telemetry import Telemetry
from service.tenants import NOBODY
from service.transaction import Begin
from service.vault import KeyAccess, OpenValues
from service.vault.envelope import unseal

MOST: Final = 200
"""Requests that are told of before tasks are brought again."""
AGAIN: Final = 30.0
"""Seconds after which one is tried again that could not be told of."""


def introducing(begin: Begin, keys: KeyAccess, pool: AsyncConnectionPool, clock: Clock, new_id: NewId) -> Introduce:
    """Return what opens by what systems know a person. `pool` is for the log of reveals."""
    open_values = OpenValues(begin, keys, unseal, clock)
    log = SqlRevealLog(pool, audit_statement, new_id)
    return Introduce(begin, keys, open_values, log, clock, new_id, partial(os.urandom, NONCE_BYTES))


def telling(
    settings: Settings, begin: Begin, keys: KeyAccess, pool: AsyncConnectionPool, clock: Clock, new_id: NewId
) -> TellSystems:
    introduce = introducing(begin, keys, pool, clock, new_id)
    return TellSystems(begin, introduce, assigning(settings, clock, new_id), clock, new_id)


class Teller:
    """Tells of every request what is noted of it. One that can't be told of holds up none of the others."""

    def __init__(self, look: Begin, tell: TellSystems, telemetry: Telemetry) -> None:
        self._look = look
        self._tell = tell
        self._telemetry = telemetry
        self._later: dict[tuple[TenantId, UUID], float] = {}

    async def __call__(self) -> None:
        """Raises: Unavailable"""
        async with self._look(NOBODY) as tx:
            due = await tx.tellings.due()
        now = asyncio.get_running_loop().time()
        self._later = {each: at for each, at in self._later.items() if at > now}
        for each in [each for each in due if each not in self._later][:MOST]:
            try:
                await self._tell(*each)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 -- one person's fault is not to stop what others asked for
                self._later[each] = now + AGAIN
                self._telemetry.bug(error, "")
