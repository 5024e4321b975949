"""What readiness asks each part."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from service import schema
from service.consent import Channel, Purpose, State
from service.consent.profiles import ProfileReader
from service.decisions import NO_OVERLAY, Context, DecisionUnavailable, InForce, Law, Laws, Question, about
from service.kernel import Unavailable
from service.policies.governing import Governing
from service.subjects import SubjectFacts
from service.tenants import NOBODY
from service.web.health import LIMIT, Check

_ABOUT_A_STRANGER: Final = Question(
    channel=Channel.EMAIL,
    purpose=Purpose.MARKETING.value,
    meaning=Purpose.MARKETING,
    at=datetime(2026, 1, 1, 9, tzinfo=UTC),
    context=Context(),
)
TOLERATED: Final = frozenset({"log"})
"""Checks that take no requests away. The log of one tenant that is halted is no reason to refuse those of all others,
nor theirs: entries are stored all the while, a withdrawal most of all, and what is halted is the signing."""
_PAUSE: Final = 10.0
"""Seconds for which rules that failed are left alone: each try may hold everybody up until the engine gives in."""


class Answering:
    """Knows which revisions of the law have answered a question: an engine can be there whose every rule fails.

    One question about a stranger, whom nobody told us about: what it is answered doesn't count. A revision never
    changes, so it is asked once.
    """

    def __init__(self) -> None:
        self._answered: str | None = None
        self._failed: str | None = None
        self._again_at = 0.0

    async def __call__(self, law: Law) -> None:
        """Return when the law has answered, now or before.

        Raises:
            DecisionUnavailable: it gives no verdict.
        """
        revision, now = law.policy.revision, asyncio.get_running_loop().time
        if revision == self._answered:
            return
        if revision == self._failed and now() < self._again_at:
            raise DecisionUnavailable("the policy gave no verdict a moment ago")
        try:
            await law.engine.evaluate(about(_ABOUT_A_STRANGER, None, SubjectFacts(), State(), NO_OVERLAY, law.policy))
        except DecisionUnavailable:
            self._failed, self._again_at = revision, now() + _PAUSE
            raise
        self._answered = revision


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
            return await schema.at_head(connection)

    answering = Answering()

    async def policy() -> bool:
        law = await active()
        await law.engine.check()
        await answering(law)
        return True

    async def log() -> bool:
        async with engine.connect() as connection:
            return not await connection.scalar(text("SELECT audit_halted()"))

    return {"database": database, "migrations": migrations, "policy": policy, "log": log}
