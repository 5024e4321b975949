"""Ask the policy about a template, and again at later edges where only the hour is against it."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from service.decisions.domain import DecisionUnavailable, Verdict
from service.decisions.facts import Filled, Template, fill
from service.decisions.policy import Policy

RETRY_WITHIN: Final = timedelta(days=14)
"""How far an opening is looked for. No window stays shut longer, holidays included."""

ASKED_AT_MOST: Final = 500
"""Edges that are tried. Two weeks in two zones have fewer; more is somebody's experiment, and gets no opening."""

T = TypeVar("T")

Evaluate = Callable[[bytes], Awaitable["Judged"]]
"""Returns the verdict on canonical facts, or raises `DecisionUnavailable`."""


class Engine(Protocol):
    """Says what the law makes of facts. Two of them give the same verdict on the same facts."""

    @property
    def policy(self) -> Policy:
        """The policy that every verdict of this engine comes from."""
        ...

    async def evaluate(self, facts: bytes) -> Verdict:
        """Return the verdict on canonical `facts`.

        Raises:
            DecisionUnavailable: for whatever keeps a well-formed verdict of
                `policy` from coming back. Never a permit in its stead.
        """
        ...

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        """Return what another entrypoint, such as `volens/decision/considered`, says about a document in JSON.

        Built-in values, which `taken` holds to a shape.

        Raises:
            DecisionUnavailable: for whatever keeps an answer of `policy` from coming back.
        """
        ...


_canonical: Final = msgspec.json.Encoder(order="sorted")


class Judged(Struct, frozen=True, kw_only=True):
    """A verdict, and the hashes by which the log points to it and to its facts."""

    verdict: Verdict
    facts_hash: bytes
    body: bytes
    body_hash: bytes

    @classmethod
    def of(cls, verdict: Verdict, facts_hash: bytes) -> "Judged":
        body = _canonical.encode(verdict)
        return cls(verdict=verdict, facts_hash=facts_hash, body=body, body_hash=content_hash(body))


class Answer(Struct, frozen=True, kw_only=True):
    filled: Filled
    judged: Judged
    retry_after: datetime | None
    """The first permitted instant, in the recipient's offset, where only the hour or the day stands in the way."""


def content_hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def taken(answer: Any, shape: type[T]) -> T:
    """Return what an engine answered, built-in values, as a `shape`, taken strictly.

    Raises:
        DecisionUnavailable: it is another one.
    """
    try:
        return msgspec.convert(answer, shape)
    except msgspec.ValidationError as error:
        raise DecisionUnavailable("policy engine gave an odd answer") from error


async def answer(template: Template, at: datetime, evaluate: Evaluate) -> Answer:
    """Return what the policy says about `template` at an instant."""
    return await answer_to(template, fill(template, at), at, evaluate)


async def answer_to(template: Template, filled: Filled, at: datetime, evaluate: Evaluate) -> Answer:
    """Return what it says about the facts that `template` was filled to."""
    judged = await evaluate(filled.facts)
    retry = await _opening(template, filled, at, evaluate) if judged.verdict.closed_hours else None
    return Answer(filled=filled, judged=judged, retry_after=retry)


async def _opening(template: Template, filled: Filled, at: datetime, evaluate: Evaluate) -> datetime | None:
    """Return the first permitted instant: facts change at edges only, so only edges are asked about."""
    zones = template.zones.all
    edge = filled.valid_until
    for _ in range(ASKED_AT_MOST):
        if not zones or edge is None or edge > at + RETRY_WITHIN:
            break
        filled = fill(template, edge)
        if (await evaluate(filled.facts)).verdict.allow:
            return edge.astimezone(zones[0])
        edge = filled.valid_until
    return None
