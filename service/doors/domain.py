"""Requests that come through a protocol of others: what they ask, for whom, and how far they are.

A door gets addresses and not our ids. What was said of a person is kept sealed and answered alike, whether or not
anybody is known: each request becomes a case, about whoever is surely meant, or else about a stand-in whom staff merge
with the person once it is sure who that is.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Instant, SubjectId
from service.requests import About, Right, State, Via

STAND_IN: Final = "claim:"
"""How the ids of stand-ins begin. The id of the case follows."""
MOST_CALLBACKS: Final = 5
BOX: Final = "door.request"
CALLBACK: Final = "door.callback"
"""What boxes are called: with what a sender calls a request, and with an address that is told how far it is."""


class DoorClosed(DomainError):
    """The operator has not set up this protocol."""

    code = "door_closed"


class IntakeUnknown(DomainError):
    """No request came through this door under that id."""

    code = "intake_unknown"


class IntakeReused(DomainError):
    """Another request came through this door under that id."""

    code = "intake_reused"


class IntakeUnderWay(DomainError):
    """Somebody works on the request already, or it is over: it can't be taken back through this door any more."""

    code = "intake_under_way"


class CallbackUnusable(DomainError):
    """Nothing is sent to that address."""

    code = "callback_unusable"


class IdentitiesUnusable(DomainError):
    """By nothing of what is said could anybody be found."""

    code = "identities_unusable"


class Door(StrEnum):
    OPENDSR = "opendsr"
    """OpenDSR 2.0: another system of the controller hands requests on."""
    DRP = "drp"
    """Data Rights Protocol 1.0: agents ask for people."""


class Claim(Struct, frozen=True):
    """An address of whoever is meant. Personal data: never log it, never store it but sealed."""

    field: str
    """Of the vault."""
    value: str

    def __repr__(self) -> str:
        return f"Claim({self.field}, hidden)"


class Intake(Struct, frozen=True, kw_only=True):
    """A request on its way in, as a door understands it."""

    door: Door
    sender: str
    """Whose requests `reference` tells apart; empty where all of a tenant's are told apart by it."""
    reference: str
    """What the sender calls it."""
    right: Right
    law: str
    via: Via
    received_at: Instant | None = None
    authority: str | None = None
    claims: tuple[Claim, ...] = ()
    subjects: tuple[SubjectId, ...] = ()
    """Ids of ours by which the sender knows the person."""
    message: bytes
    """As it came: the evidence."""
    content: bytes
    """By which the same is told from other content."""
    about: About
    callbacks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Intake({self.door}, hidden)"


class Taken(Struct, frozen=True, kw_only=True):
    """A request that came through a door. Never changed, but for what took it back."""

    id: UUID
    """That of its case."""
    door: Door
    sender: str
    reference: bytes
    """SHA-256 of what the sender calls it."""
    received_at: Instant
    expected_at: Instant
    """When it was due at first."""
    sealed: bytes
    revoked_by: bytes | None = None
    """SHA-256 of the message that took it back, where a signature bound that to a time."""


class Kept(Struct, frozen=True, kw_only=True):
    """What is sealed of it under the tenant's key, and outlives the person's."""

    reference: str
    digest: bytes
    """SHA-256 of the content."""


class Stage(Struct, frozen=True, kw_only=True):
    """How far the case of a request is."""

    version: int
    """Grows with whatever happens to the case."""
    state: State
    reason: str | None
    """Of a refusal, the ground."""
    due_at: Instant | None
    extended: bool


class Status(Struct, frozen=True, kw_only=True):
    """How far a request is, in the words of its protocol."""

    taken: Taken
    kept: Kept
    state: str
    reason: str | None
    expected_at: Instant
    extended: bool
    final: bool

    @property
    def said(self) -> str:
        """What a change of which is told."""
        return "/".join([self.state, self.reason or "", f"{self.expected_at:%Y-%m-%d}"])


class Words(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a protocol calls the states of a case, and why one is refused."""

    states: Mapping[State, str]
    final: tuple[str, ...]
    reasons: Mapping[str, str] = {}
    other: str | None = None
    """The reason for whatever `reasons` has no word for."""

    def reason(self, ground: str | None) -> str | None:
        return None if ground is None else self.reasons.get(ground, self.other)


class OpenDsrTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    laws: Mapping[str, str]
    rights: Mapping[str, Right]
    fields: Mapping[str, str]
    """Of the vault, by the kind of identity. Kinds without one find nobody."""
    words: Words


class DrpTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    law: str
    authority: str
    """What the signature of an agent of the network stands for."""
    rights: Mapping[str, Right]
    fields: Mapping[str, str]
    """Of the vault, by the claim."""
    words: Words


class Tables(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`policies/doors.json`: what the protocols' words mean here."""

    opendsr: OpenDsrTable
    drp: DrpTable

    def words(self, door: Door) -> Words:
        return self.opendsr.words if door is Door.OPENDSR else self.drp.words


def status_of(taken: Taken, kept: Kept, stage: Stage, words: Words) -> Status:
    state = words.states[stage.state]
    return Status(
        taken=taken,
        kept=kept,
        state=state,
        reason=words.reason(stage.reason),
        expected_at=stage.due_at or taken.expected_at,
        extended=stage.extended,
        final=state in words.final,
    )
