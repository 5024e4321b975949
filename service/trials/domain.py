"""What would change? A candidate for the policy, tried on logged decisions or on current subjects."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.consent import Channel, PurposeName
from service.decisions import Context, Overlay
from service.kernel import DomainError, Handle, Instant, SubjectId

LEASE: Final = timedelta(seconds=30)
"""Whoever runs a trial says so more often than this. Who is silent for longer has died, and another goes on."""

ATTEMPTS: Final = 3
"""How often a trial is taken up. One that ended its runner as often would end the next one too."""

UNFINISHED: Final = 5
"""How many trials a tenant may have under way."""


class Candidate(Struct, frozen=True, kw_only=True):
    """What is tried. What it doesn't name stays as it governs."""

    overlay: Overlay | None = None
    """In place of the tenant's own policy."""
    tables: Mapping[str, Any] = {}
    """Whole tables of the law, by name."""
    modules: Mapping[str, str] = {}
    """Files of the law in Rego, by their path in the bundle."""

    def name(self) -> str:
        """Return the name of the content."""
        return "sha256:" + hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


NOTHING: Final = Candidate()


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decisions of the log, by when they were made."""

    since: Instant
    until: Instant | None = None
    """The first instant that is no longer wanted; now when it is missing."""


class Survey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question, asked now about every subject."""

    channel: Channel
    purpose: PurposeName
    context: Context | None = None


class Over(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candidate is tried on: one of the two."""

    decisions: Span | None = None
    subjects: Survey | None = None


class Period(Struct, frozen=True, kw_only=True, tag="decisions"):
    """The decisions that were made from one instant on until, exclusively, another."""

    since: Instant
    until: Instant


class Population(Struct, frozen=True, kw_only=True, tag="subjects"):
    """One question about every subject of the tenant."""

    channel: Channel
    purpose: str
    meaning: str
    """The known purpose that `purpose` is or maps onto."""
    context: Context
    at: Instant


class Base(Struct, frozen=True, kw_only=True):
    """What governed the tenant when the trial was asked for. The candidate changes this."""

    revision: str
    version: int
    overlay: Overlay


class Plan(Struct, frozen=True, kw_only=True):
    """A trial as it was asked for."""

    candidate: Candidate
    over: Period | Population
    base: Base


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Change(Struct, frozen=True, kw_only=True):
    """A permit that would be a denial, or the other way round."""

    id: UUID
    """Of the decision; of a subject, the handle."""
    channel: str
    purpose: str
    permit_then: bool
    permit_now: bool
    rules: tuple[str, ...]
    """The rules that deny, on the side that denies."""


class NamedChange(Struct, frozen=True, kw_only=True):
    """A change as it is shown."""

    change: Change
    subject: SubjectId | None
    """Whom it is about, where subjects were asked about; nobody any more, if they were erased since."""


class Person(Struct, frozen=True, kw_only=True):
    """A subject by both names."""

    subject: SubjectId
    handle: Handle


class Trial(Struct, frozen=True, kw_only=True):
    """A trial as it stands."""

    id: UUID
    candidate: str
    over: Period | Population
    base: Base
    created_at: datetime
    actor: str
    state: State
    done: int
    total: int | None
    """How many decisions or subjects there are; unknown until it begins."""
    standing: bytes | None
    fault: str | None
    beat_at: datetime | None

    def idle(self, now: datetime) -> bool:
        """Whether somebody has to go on with it."""
        match self.state:
            case State.WAITING:
                return True
            case State.RUNNING:
                return self.beat_at is None or self.beat_at < now - LEASE
            case _:
                return False


class Claimed(Struct, frozen=True, kw_only=True):
    """A trial in the hands of the one who runs it."""

    id: UUID
    plan: Plan
    attempts: int
    standing: bytes | None
    """Where the one before got to."""


class TrialUnusable(DomainError):
    """What is to be tried can't be, or not over this."""

    code = "trial_unusable"


class CandidateRefused(DomainError):
    """The candidate is no policy: it doesn't compile, names an unknown rule, or needs more than its share."""

    code = "candidate_refused"


class RegoNotOffered(DomainError):
    """The candidate has Rego in it, and this service has no OPA to compile it."""

    code = "candidate_rego_not_offered"


class TooManyTrials(DomainError):
    """The tenant has as many trials under way as it may."""

    code = "too_many_trials"


class TrialUnknown(DomainError):
    """The tenant has no trial with this id."""

    code = "trial_unknown"


class Misshapen(Struct, frozen=True, kw_only=True):
    """One place at which a table isn't what its schema says."""

    pointer: str
    detail: str


def step(pointer: str, name: str | int) -> str:
    """Return the pointer to a member (RFC 6901)."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
