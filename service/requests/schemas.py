from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from service.kernel import Instant, SubjectId, SubjectRef, exactly
from service.requests.case import Excess, Refusal, Said, Seen, Via, Wish
from service.requests.domain import Deadlines
from service.requests.lifecycle import Happened, Move, State
from service.requests.rights import Entitlement, Right, Verification

Word = Annotated[str, exactly("[a-z][a-z0-9_]{0,62}")]
LawName = Annotated[str, exactly("[A-Z][A-Z0-9_]{1,30}")]


class RequestCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asks for, under an id of the sender's own."""

    id: UUID
    subject: SubjectRef
    right: Right
    law: LawName | None = None
    """Which law it is asked under. Without it that of the place where the person lives."""
    received_at: Instant | None = None
    """When it reached the controller, by any channel. Without it now."""
    place: Annotated[str, exactly("[A-Z]{2}(-[A-Z0-9]{1,3})?")] | None = None
    """Of the controller (ISO 3166), for its public holidays. Without it that of the tenant."""
    time_zone: Annotated[str, exactly("[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")] | None = None
    """Of the controller (IANA), for its days. Without it that of the tenant."""
    via: Via = Via.PORTAL

    def wish(self) -> Wish:
        received_at = None if self.received_at is None else self.received_at.astimezone(UTC)
        said = Said(via=self.via, law=self.law, received_at=received_at, place=self.place, time_zone=self.time_zone)
        return Wish(id=self.id, subject=SubjectId(self.subject), right=self.right, said=said)


class RequestMove(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a request moves on, and what the sender knew of it."""

    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    """The one that the sender saw. If the request has moved since, it stays where it is."""
    reason: Word | None = None
    """With `verify` how identity was shown; with `refuse` and `extend` the ground. No other move has one."""
    authority: Word | None = None
    """With `verify`: what an agent showed."""


class IdentityView(Struct, frozen=True, kw_only=True):
    """How sure it has to be who asks, and how sure it is."""

    sufficient: list[Verification]
    verified: Verification
    agent: bool
    """Whether somebody asks for another, and has to show that they may."""
    authorised: bool


def sufficient(entitlement: Entitlement) -> list[Verification]:
    return [level for level in Verification if entitlement.satisfied_by(level)]


class HappenedView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One move."""

    number: int
    move: Move
    at: datetime
    actor: str
    reason: str | None = None
    authority: str | None = None

    @classmethod
    def of(cls, happened: Happened) -> "HappenedView":
        return cls(
            number=happened.number,
            move=happened.move,
            at=happened.at,
            actor=happened.actor,
            reason=happened.reason,
            authority=happened.authority,
        )


class RequestView(Struct, frozen=True, kw_only=True):
    """A request as it stands: its dates follow from its receipt and its moves."""

    id: UUID
    subject: str | None
    """Null when the person was erased."""
    right: Right
    law: str
    law_assumed: bool
    """Nobody knew which law governs: this one is taken."""
    citation: str | None
    via: Via
    state: State
    version: int
    moves: list[Move]
    """What can follow."""
    received_at: datetime
    place: str
    time_zone: str
    due_on: date | None
    """The last day for the answer, or where the law sets none for the confirmation. Null while the clock stands."""
    acknowledge_by: date | None
    overdue: bool
    elapsed: int | None
    """How much of its period is over, in percent: 0, 50, 80 or 100. Null where nobody owes an answer any more."""
    dates: Deadlines
    """Every date that the law sets, by its name."""
    identity: IdentityView
    joins: UUID | None
    """The open request for the same, which answers this one too."""
    refusal: Refusal | None
    excess: Excess | None
    """To staff, of one request: how often the person asked, and what the law allows where that is too much."""
    odd: str | None
    """Why the tables of today don't say what follows: then this is what was noted. Null as a rule."""
    history: list[HappenedView]

    @classmethod
    def of(cls, seen: Seen) -> "RequestView":
        request, standing, progress = seen.request, seen.standing, seen.progress
        return cls(
            id=request.id,
            subject=seen.subject,
            right=request.right,
            law=request.law,
            law_assumed=request.assumed,
            citation=None if seen.entitlement is None else seen.entitlement.citation,
            via=request.said.via,
            state=standing.state,
            version=standing.version,
            moves=sorted(seen.moves),
            received_at=request.received_at,
            place=request.place,
            time_zone=request.time_zone,
            due_on=standing.due_on,
            acknowledge_by=seen.dates.acknowledge_by,
            overdue=seen.overdue,
            elapsed=seen.elapsed,
            dates=seen.dates,
            identity=IdentityView(
                sufficient=[] if seen.entitlement is None else sufficient(seen.entitlement),
                verified=progress.verified,
                agent=request.said.via is Via.AGENT,
                authorised=progress.authorised,
            ),
            joins=request.joins,
            refusal=seen.refusal,
            excess=seen.excess,
            odd=seen.odd,
            history=[HappenedView.of(happened) for happened in seen.history],
        )


class RequestPage(Struct, frozen=True, kw_only=True):
    """Requests, what is due first comes first."""

    requests: list[RequestView]
