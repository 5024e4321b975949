"""The laws in memory: the one that was shipped, and those that were activated since."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from service.decisions.ports import Law

KEEP: Final = 2
"""Activated revisions in memory. Each takes up to 64 megabytes; more than the last and the one before is for nobody."""

Load = Callable[[str], Awaitable[Law]]
"""Makes the law of a stored revision, or raises `DecisionUnavailable`."""


class LoadedLaws:
    """Hands out laws by revision, and loads each once: whoever comes meanwhile waits for the same."""

    def __init__(self, shipped: Law, load: Load) -> None:
        self.shipped = shipped
        self._load = load
        self._known: dict[str, Law] = {}
        self._loading = asyncio.Lock()

    async def of(self, revision: str | None) -> Law:
        """Return the law of a revision; the shipped one if none is named.

        Raises:
            DecisionUnavailable: it can't be loaded.
        """
        if revision is None or revision == self.shipped.policy.revision:
            return self.shipped
        if (known := self._known.get(revision)) is not None:
            return known
        async with self._loading:
            if revision not in self._known:
                loaded = await self._load(revision)
                while len(self._known) >= KEEP:
                    # Not closed: somebody may be asking it. What nobody holds is collected.
                    del self._known[next(iter(self._known))]
                self._known[revision] = loaded
            return self._known[revision]
