"""The memo: a verdict is a function of the policy's revision and the facts, so it is worked out once."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from service.decisions.asking import Engine, Judged, content_hash
from service.decisions.domain import DecisionUnavailable, Verdict, verdict_of
from service.decisions.policy import Policy

KEEP: Final = 40_000
"""Facts whose verdict is in memory, and verdicts that differ; some twenty megabytes with a tenth as many verdicts."""

Recall = Callable[[str, bytes], Awaitable[bytes | None]]
"""What the policy of a revision once answered to facts of a hash, from the table of verdicts."""


class Memo:
    """Asks memory, then `recall`, then the engine; never goes stale, since its key holds all that matters."""

    def __init__(self, engine: Engine, keep: int = KEEP) -> None:
        self._engine = engine
        self._keep = keep
        self._known: dict[bytes, Judged] = {}
        self._said: dict[bytes, Judged] = {}

    @property
    def policy(self) -> Policy:
        return self._engine.policy

    def __contains__(self, facts_hash: bytes) -> bool:
        return facts_hash in self._known

    async def judge(self, facts: bytes, recall: Recall | None = None) -> Judged:
        """Return the verdict on canonical `facts`.

        Raises:
            DecisionUnavailable: the engine gave none.
        """
        key = content_hash(facts)
        if (known := self._known.get(key)) is not None:
            return known
        body = await recall(self.policy.revision, key) if recall is not None else None
        judged = Judged.of(self._recalled(body, facts) or await self._engine.evaluate(facts), key)
        for kept in (self._known, self._said):
            if len(kept) >= self._keep:
                del kept[next(iter(kept))]
        # The same verdict on other facts is the same object.
        judged = self._known[key] = replace(self._said.setdefault(judged.body, judged), facts_hash=key)
        return judged

    def _recalled(self, body: bytes | None, facts: bytes) -> Verdict | None:
        """Return what was once answered. One that can't be read any more is worked out again."""
        if body is None:
            return None
        with suppress(DecisionUnavailable):
            return verdict_of(body, facts, self.policy.rules)
        return None
