"""The laws in memory: the one that was shipped, and those that were activated since."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from service.decisions.ports import Law
from service.kernel import Unavailable

KEEP: Final = 2
"""Activated revisions in memory. Each takes up to 64 megabytes; more than the last and the one before is for nobody."""

PAUSE: Final = 2.0
"""Seconds for which a revision that can't be loaded is left alone: trying takes a second of a processor."""

Load = Callable[[str], Awaitable[Law]]
"""Makes the law of a stored revision, or raises `DecisionUnavailable`."""


class LoadedLaws:
    """Hands out laws by revision, and loads each once: whoever comes meanwhile waits for the same."""

    def __init__(self, shipped: Law, load: Load, *, pause: float = PAUSE) -> None:
        self.shipped = shipped
        self._load = load
        self._pause = pause
        self._known: dict[str, Law] = {}
        self._loading: dict[str, asyncio.Task[Law]] = {}

    async def of(self, revision: str | None) -> Law:
        """Return the law of a revision; the shipped one if none is named.

        Raises:
            DecisionUnavailable: it can't be loaded.
        """
        if revision is None or revision == self.shipped.policy.revision:
            return self.shipped
        if (known := self._known.pop(revision, None)) is not None:
            self._known[revision] = known  # who was asked last goes last
            return known
        loading = self._loading.get(revision)
        if loading is None:
            loading = self._loading[revision] = asyncio.create_task(self._loaded(revision))
            loading.add_done_callback(lambda done: self._ended(revision, done))
        # Whoever goes away ends it for nobody else.
        return await asyncio.shield(loading)

    async def _loaded(self, revision: str) -> Law:
        law = await self._load(revision)
        while len(self._known) >= KEEP:
            # Not closed: somebody may be asking it. What nobody holds is collected.
            del self._known[next(iter(self._known))]
        self._known[revision] = law
        return law

    def _ended(self, revision: str, done: asyncio.Task[Law]) -> None:
        failed = not done.cancelled() and isinstance(done.exception(), Unavailable)
        done.get_loop().call_later(self._pause if failed else 0.0, self._loading.pop, revision, None)
