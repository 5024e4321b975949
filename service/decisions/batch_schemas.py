from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.consent import Channel, PurposeName
from service.decisions.context import Context
from service.decisions.domain import Basis, Effect
from service.decisions.narrow import NEVER, from_micros
from service.decisions.packed import Given
from service.kernel import SubjectRef
from service.vault import FieldName

Rule = Annotated[str, Meta(description="The id of a rule, such as `EU-EPD-01`.")]


class DecisionBatchOutcome(StrEnum):
    """What became of a line. Anything but `permit` means no."""

    PERMIT = "permit"
    DENY = "deny"
    INVALID = "invalid"
    """The line names nobody."""
    UNIDENTIFIED = "unidentified"
    """Nobody has the value that the line names, or several people have it. Nobody is guessed."""
    UNAVAILABLE = "unavailable"
    """Nobody can say. Ask again."""


class DecisionBatchCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: what is asked about everybody who follows, now."""

    channel: Channel
    purpose: PurposeName
    context: Context | None = None
    """What you declare about the message, the sender and the use. What is left out is unknown."""


class DecisionBatchLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each further line: one person, by id, or by a value in the vault, which needs the scope `vault:lookup` besides.

    The id alone, as a JSON string, is a line as well.
    """

    subject: SubjectRef | UnsetType = UNSET
    field: FieldName | UnsetType = UNSET
    """One that is indexed, such as `email`."""
    value: Annotated[str, Meta(min_length=1, max_length=10_000)] | UnsetType = UNSET
    """Never told again."""


class DecisionBatchAnswer(Struct, frozen=True, kw_only=True):
    """What became of a line. Anything but `permit` means no."""

    line: int
    """Its number, from 1 for the first person."""
    outcome: DecisionBatchOutcome
    subject: str | UnsetType = UNSET
    id: UUID | UnsetType = UNSET
    """Of the decision, in the log before this line was sent: `GET /v1/decisions/{id}` tells all of it."""
    basis: Basis | UnsetType = UNSET
    at: datetime | UnsetType = UNSET
    """When the state was read: what was acknowledged before then counts."""
    rules: tuple[Rule, ...] | UnsetType = UNSET
    """The rules that permit, or those that deny."""
    obligations: tuple[str, ...] | UnsetType = UNSET
    """What the sender must do."""
    retry_after: datetime | UnsetType | None = UNSET
    """Set when only the hour or the day stands in the way."""
    valid_until: datetime | UnsetType | None = UNSET
    """The next instant at which the answer could change by time alone."""
    errors: tuple[dict[str, str], ...] | UnsetType = UNSET
    """What is wrong with an `invalid` or `unidentified` line."""


class DecisionBatchCounts(Struct, frozen=True, kw_only=True):
    lines: int
    outcomes: dict[str, int]
    rules: dict[str, dict[str, int]]
    """By outcome: how many each rule permitted or denied. Several rules may deny one person."""
    read_at_length: int
    """How many had no narrow row, or were not told apart by it."""


class DecisionBatchSummary(Struct, frozen=True, kw_only=True):
    """The last line. Without it the answer is not whole."""

    summary: DecisionBatchCounts


class DecisionBatchFailure(Struct, frozen=True, kw_only=True):
    """The last line of an answer that broke off. Whoever has no line until then is denied."""

    code: str
    detail: str
    decision: str = "deny"


class BrokenOff(Struct, frozen=True, kw_only=True):
    error: DecisionBatchFailure


_encode: Final = msgspec.json.Encoder().encode


class AnswerText(Struct, frozen=True):
    """What the lines of all who got one answer have in common, as it is written."""

    outcome: DecisionBatchOutcome
    rules: tuple[str, ...]
    told: bytes
    """From `outcome` up to the members that differ, without braces."""


def answer_text(given: Given, at: datetime) -> AnswerText:
    """Return how an answer is written in each of its lines."""
    verdict = given.judged.verdict
    effect = Effect.PERMIT if verdict.allow else Effect.DENY
    outcome = DecisionBatchOutcome(effect.value)
    rules = tuple(dict.fromkeys(cited.rule for cited in verdict.reasons if cited.effect is effect))
    answer = DecisionBatchAnswer(
        line=0,
        outcome=outcome,
        basis=verdict.basis,
        at=at,
        rules=rules,
        obligations=verdict.obligations,
        retry_after=given.retry_after,
    )
    return AnswerText(outcome, rules, _encode(answer).removeprefix(b'{"line":0,')[:-1])


class Untils(dict[int, bytes]):
    """Instants until which answers hold, as they are written."""

    def __missing__(self, until: int) -> bytes:
        text = self[until] = b"null" if until == NEVER else _encode(from_micros(until))
        return text
