"""Composition root of the sequencer: what gives audit entries their place in the tree, and signs it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psycopg
from psycopg_pool import AsyncConnectionPool

from service import db
from service.audit.growing import BATCH, GrowTree
from service.audit.log_keys import FILE, LogKeys
from service.audit.published import FOLDER, PublishedFiles
from service.audit.tree_ports import LogHalted
from service.audit.tree_store import add_public_key, growing, public_keys, with_tree, with_waiting
from service.given import utc_now
from service.kernel import TenantId, Unavailable
from service.own_files import FileExposed, FileUnusable
from service.settings import Settings
from service.stopping import LOST, pause
from service.telemetry import Telemetry, described

PAUSE: Final = 0.25
"""Seconds between two looks for entries that wait."""


async def sequence(settings: Settings, url: str, telemetry: Telemetry, stop: asyncio.Event) -> None:
    """Place entries until `stop` is set. A lost database, or a lost key, is waited for."""
    async with db.pool(url, size=2) as pool:
        while not stop.is_set():
            try:
                await _place(settings, pool, telemetry, stop)
            except (Unavailable, psycopg.OperationalError, FileExposed, FileUnusable, OSError) as error:
                telemetry.log.warning("sequencer_waits", **described(error))
                await pause(LOST, stop)


async def _place(settings: Settings, pool: AsyncConnectionPool, telemetry: Telemetry, stop: asyncio.Event) -> None:
    keys, files = await log_keys(settings, pool), published(settings)
    grow = GrowTree(settings.log_name, growing(pool), keys.signer, files, utc_now)
    tenants: Iterable[TenantId] = {*await with_tree(pool), *files.tenants()}  # at first all: one may be restored
    halted: dict[TenantId, str] = {}
    while not stop.is_set():
        for tenant in tenants:
            await _grow(grow, tenant, halted, telemetry)
        await pause(PAUSE, stop)
        tenants = await with_waiting(pool)


async def _grow(grow: GrowTree, tenant: TenantId, halted: dict[TenantId, str], telemetry: Telemetry) -> None:
    try:
        placed = BATCH
        while placed == BATCH:
            placed = await grow(tenant)
            telemetry.placed(placed)
        halted.pop(tenant, None)
    except LogHalted as error:
        if halted.get(tenant) != str(error):  # once, and not at every look
            telemetry.log_halted(tenant, str(error))
        halted[tenant] = str(error)


async def log_keys(settings: Settings, pool: AsyncConnectionPool) -> LogKeys:
    """Return the keys of the log, all of which are public in the database.

    A first key is made where none was ever used. A key file that was lost is not replaced: the log would go on under
    a key that nobody has reason to believe.

    Raises:
        FileUnusable: the file lacks a key by which the log signed.
    """
    used = set(await public_keys(pool))
    keys = LogKeys.open(keys_file(settings), make=not used)
    if missing := used - set(keys.public):
        raise FileUnusable(f"{keys_file(settings).name} lacks {len(missing)} of the keys by which the log signed")
    for public in keys.public:
        if public not in used:
            await add_public_key(pool, public, utc_now())
    return keys


def published(settings: Settings) -> PublishedFiles:
    return PublishedFiles(settings.data / FOLDER)


def keys_file(settings: Settings) -> Path:
    return settings.data / FILE if settings.log_keys_path is None else Path(settings.log_keys_path)
