"""A question about many people, a line each."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from service.consent import Channel
from service.decisions import Context, DecisionView
from service.kernel import SubjectId
from service.reveals.domain import Shown, Wish
from service.vault import OFFICER_PURPOSES


class BatchQuestion(Struct, frozen=True, kw_only=True):
    """What is to be read of each of them, and what for."""

    fields: tuple[str, ...]
    purpose: str
    channel: Channel | None = None
    context: Context = Context()
    approval: UUID | None = None

    @property
    def for_officers(self) -> bool:
        return self.purpose in OFFICER_PURPOSES

    def about(self, subject: SubjectId) -> Wish:
        return Wish(
            subject=subject, fields=self.fields, purpose=self.purpose, channel=self.channel, context=self.context
        )


class Asked(Struct, frozen=True, kw_only=True):
    """One line: a person, or what is wrong with it."""

    line: int
    subject: SubjectId | None
    faults: Sequence[Any] = ()


class Outcome(StrEnum):
    """What became of a line. Anything but `permit` means no."""

    PERMIT = "permit"
    DENY = "deny"
    ERASED = "erased"
    UNKNOWN = "unknown"
    """Only to officers; to others somebody nobody told us about is a denial."""
    INVALID = "invalid"
    BEYOND_APPROVAL = "beyond_approval"
    UNAVAILABLE = "unavailable"
    """Nobody could say, or nothing could be opened. Ask again."""


class Answered(Struct, frozen=True, kw_only=True):
    """A line and what became of it."""

    asked: Asked
    outcome: Outcome
    shown: Shown | None = None
    decision: DecisionView | None = None
