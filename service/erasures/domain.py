"""An erasure: what goes, what stays and why, and how far it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.kernel import DomainError, Handle, Instant

FORMAT: Final = "volens-erasure/v1"


class NotAnErasure(DomainError):
    """The request asks for something else than to be erased."""

    code = "not_an_erasure"


class NotCertified(DomainError):
    """The erasure is not through: its certificate comes last."""

    code = "erasure_not_certified"


class Remains(Exception):
    """Something of an erased person is still there. Nothing is certified."""


class Step(StrEnum):
    """What is done, in this order, each in a transaction of its own and once."""

    BEGUN = "begun"
    """The plan is fixed. Contact had stopped with the receipt."""
    TOLD = "told"
    """Every connected system has its task."""
    FORGOTTEN = "forgotten"
    """Addresses are suppressed; key, secret, index and tokens are destroyed. There is no way back."""
    REPLACED = "replaced"
    """The ids of the person name nobody who can be known any more."""
    REDUCED = "reduced"
    """Records and facts are gone, but for what a law has kept."""
    SETTLED = "settled"
    """Every connected system has confirmed, refused with a ground, or is excused."""
    VERIFIED = "verified"
    """Nothing is found, and nothing opens."""
    CERTIFIED = "certified"


class Done(Struct, frozen=True, kw_only=True):
    """One step."""

    step: Step
    at: Instant
    told: Mapping[str, int] = {}
    """How much of what went by it."""


class Going(Struct, frozen=True, kw_only=True):
    """Content that goes."""

    what: str
    count: int


class Staying(Struct, frozen=True, kw_only=True):
    """Content that stays, and the law that says so."""

    what: str
    rule: str
    citation: str
    until: str


class Against(Struct, frozen=True, kw_only=True):
    """Why nobody is erased now. `hold` is the name of the officer's hold, where it is one."""

    ground: str
    rule: str
    citation: str
    hold: str | None


class Proof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records that a law has kept after an erasure, where the person lives in one of some places."""

    places: tuple[str, ...]
    channels: tuple[str, ...]
    actions: tuple[str, ...]
    years: int
    rule: str
    citation: str

    def of(self, place: str) -> bool:
        return bool({place, place.partition("-")[0]} & {*self.places})

    def covers(self, action: str, channels: Sequence[str], received_at: datetime, now: datetime) -> bool:
        return (
            action in self.actions
            and (not {*channels}.isdisjoint(self.channels) or not {*channels}.isdisjoint(("any", "all")))
            and self.ends(received_at) > now
        )

    def ends(self, received_at: datetime) -> datetime:
        """Return when the period of a record is over. A missing day is the one after."""
        try:
            return received_at.replace(year=received_at.year + self.years)
        except ValueError:
            return received_at.replace(year=received_at.year + self.years, month=3, day=1)


class Plan(Struct, frozen=True, kw_only=True):
    """What an erasure does. The same person as they stand makes the same plan."""

    request: UUID
    law: str
    citation: str
    policy_revision: str
    goes: tuple[Going, ...]
    stays: tuple[Staying, ...]
    proofs: tuple[Proof, ...]
    """By which records stay."""
    against: tuple[Against, ...]
    systems: tuple[str, ...]
    """Connected systems that are told."""


class Erasure(Struct, frozen=True, kw_only=True):
    """An erasure that was begun."""

    request: UUID
    handle: Handle
    handles: tuple[Handle, ...]
    """All that the person had, also before merges."""
    plan: Plan
    begun_at: Instant
    ended_at: Instant | None = None
    certificate: bytes | None = None
    """What is certified, in JSON per RFC 8785."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of the task of one connected system."""

    system: str
    state: str
    """`open`, `silent`; `confirmed`, `refused`, `excused`."""
    ground: str | None = None
    at: Instant | None = None

    @property
    def settled(self) -> bool:
        return self.state in {"confirmed", "refused", "excused"}


class Progress(Struct, frozen=True, kw_only=True):
    """A plan, and what was done of it."""

    plan: Plan
    done: Sequence[Done]
    outcomes: Sequence[Outcome]
    ended_at: Instant | None


class Stage(StrEnum):
    """How a run ended."""

    ENDED = "ended"
    HELD = "held"
    """A hold, or a restriction, stands against it."""
    WAITING = "waiting"
    """For a connected system."""


class Certified(Struct, frozen=True, kw_only=True):
    """A certificate, signed, and the proof that its entry is in the log."""

    jws: str
    proof: str


def certificate_of(erasure: Erasure, received_at: datetime, done: Sequence[Done], outcomes: Sequence[Outcome]) -> bytes:
    """Return what is certified, in JSON per RFC 8785. Of the person it has nothing."""
    gone: dict[str, int] = {}
    for one in done:
        for what, count in one.told.items():
            gone[what] = gone.get(what, 0) + count
    members: dict[str, Any] = {
        "citation": erasure.plan.citation,
        "downstreams": [_without_null(msgspec.to_builtins(one)) for one in outcomes],
        "format": FORMAT,
        "gone": gone,
        "law": erasure.plan.law,
        "policy_revision": erasure.plan.policy_revision,
        "received_at": received_at,
        "request": erasure.request,
        "stays": [msgspec.to_builtins(one) for one in erasure.plan.stays],
        "steps": [{"at": one.at, "step": one.step} for one in done],
    }
    return msgspec.json.encode(members, order="sorted")


def _without_null(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
