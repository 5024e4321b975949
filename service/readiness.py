"""What readiness asks each part."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from service import migrate
from service.consent.profiles import ProfileReader
from service.decisions import Law, Laws
from service.decisions.overlay import InForce
from service.kernel import Unavailable
from service.policies.governing import Governing
from service.tenants import NOBODY
from service.web.health import LIMIT, Check


def active_law(profiles: ProfileReader[InForce], governing: Governing, laws: Laws) -> Callable[[], Awaitable[Law]]:
    """Return what finds the law that governs; where the database is silent, the one that did last."""

    async def active() -> Law:
        with suppress(Unavailable, TimeoutError):
            await asyncio.wait_for(profiles.governing(NOBODY), LIMIT / 2)
        return await laws.of(governing.revision)

    return active


def checks(engine: AsyncEngine, active: Callable[[], Awaitable[Law]]) -> Mapping[str, Check]:
    """Return what readiness asks: each part, and whether it is there.

    The issuers' keys are not asked for: one dead identity provider must not take out
    the callers of all the others.
    """

    async def database() -> bool:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def migrations() -> bool:
        async with engine.connect() as connection:
            return await migrate.at_head(connection)

    async def policy() -> bool:
        await (await active()).engine.check()
        return True

    async def log() -> bool:
        async with engine.connect() as connection:
            return not await connection.scalar(text("SELECT audit_halted()"))

    return {"database": database, "migrations": migrations, "policy": policy, "log": log}
