"""What a running service reports about its engine and its answers: how many, how fast, and why none came."""

from collections import Counter
from collections.abc import Awaitable
from time import perf_counter
from typing import Any, Protocol, TypeVar

from service.decisions.batch_ports import PackedLog
from service.decisions.domain import DecisionUnavailable, Verdict
from service.decisions.packed import Chunk, numbers_in
from service.decisions.policy import Policy
from service.decisions.ports import DecisionLog, Logged, PolicyEngine
from service.kernel import Caller

T = TypeVar("T")


class Watch(Protocol):
    """Who is told. `service.telemetry.Telemetry` is one; it learns of no subject, and writes no message of an error."""

    def evaluated(self, engine: str, seconds: float) -> None: ...
    def engine_failed(self, engine: str, error: BaseException) -> None: ...
    def decided(self, outcome: str, basis: str, count: int = 1) -> None: ...


class WatchedEngine:
    """An engine whose every evaluation is told: the 503 of a caller says only that there was no verdict."""

    def __init__(self, engine: PolicyEngine, name: str, watch: Watch) -> None:
        self._engine = engine
        self._name = name
        self._watch = watch

    @property
    def policy(self) -> Policy:
        return self._engine.policy

    @property
    def revision(self) -> str:
        return self._engine.revision

    async def evaluate(self, facts: bytes) -> Verdict:
        return await self._watched(self._engine.evaluate(facts))

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        return await self._watched(self._engine.ask(entrypoint, document))

    async def _watched(self, asked: Awaitable[T]) -> T:
        began = perf_counter()
        try:
            answer = await asked
        except DecisionUnavailable as error:
            self._watch.engine_failed(self._name, error)
            raise
        self._watch.evaluated(self._name, perf_counter() - began)
        return answer

    async def check(self) -> None:
        await self._engine.check()


class WatchedLog:
    """A log whose decisions are counted once they are stored, by outcome and basis."""

    def __init__(self, log: DecisionLog, watch: Watch) -> None:
        self._log = log
        self._watch = watch

    async def append(self, logged: Logged) -> None:
        await self._log.append(logged)
        self._watch.decided(_outcome(logged.decision.permit), logged.decision.basis.value)


class WatchedPackedLog:
    """A log of chunks whose decisions are counted likewise."""

    def __init__(self, log: PackedLog, watch: Watch) -> None:
        self._log = log
        self._watch = watch

    async def append(self, chunk: Chunk, *, by: Caller) -> None:
        await self._log.append(chunk, by=by)
        for number, count in Counter(numbers_in(chunk.body)).items():
            verdict = chunk.answers[number].judged.verdict
            self._watch.decided(_outcome(verdict.allow), verdict.basis.value, count)


def _outcome(permit: bool) -> str:
    return "permit" if permit else "deny"
