"""What governs a tenant's decisions: the active revision of the law, and the tenant's own overlay over it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from service.decisions import Overlay
from service.kernel import DomainError, Unavailable

LATEST_ENTRIES: Final = 100


class OverlayLoosens(DomainError):
    """The overlay would promise less than the law asks."""

    code = "overlay_loosens"


class OverlayUnusable(DomainError):
    """The overlay says something that can't be meant: an end before its beginning, a span that nobody measures."""

    code = "overlay_unusable"


class OverlayVersionUnknown(DomainError):
    """The tenant has no such version of an overlay."""

    code = "overlay_version_unknown"


class OverlayMoved(DomainError):
    """Somebody else has stored a version since the one this change is based on."""

    code = "overlay_moved"


class Refused(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that an overlay would loosen, as the policy names it, and where."""

    rule: str
    pointer: str


class Stored(Struct, frozen=True, kw_only=True):
    """One version of an overlay. They stay, so that a decision of then can be understood."""

    version: int
    """From 1 on; 0 is the empty overlay that everybody starts from."""
    overlay: Overlay
    at: datetime | None
    actor: str | None


class Tried(Struct, frozen=True, kw_only=True):
    """An overlay that could be stored, and wasn't."""

    overlay: Overlay


class Coming(Struct, frozen=True, kw_only=True):
    """Which rules begin when, as far as an overlay can ask for them before their day."""

    days: Mapping[str, date]
    """Some begin together, under one name."""
    stricter: frozenset[str]
    """Those of the days whose rules only forbid."""
    rules: frozenset[str]
    """All rules of the law. Most have no day of their own."""

    def early(self, on: date) -> list[str]:
        """Return what can be followed before its day."""
        return sorted(name for name in self.stricter if name in self.days and self.days[name] > on)


class Artefacts(Struct, frozen=True, kw_only=True):
    """One built policy: `policies/build` as values."""

    revision: str
    module: bytes
    data: bytes
    rules: bytes


class RevisionDamaged(Unavailable):
    """What is stored as a policy isn't what was stored. It governs nobody until it is whole again."""


class Activation(Struct, frozen=True, kw_only=True):
    """Since when a revision has governed, and who said so."""

    revision: str
    at: datetime
    actor: str


class Kept(Struct, frozen=True, kw_only=True):
    """A revision that is stored, and since when."""

    revision: str
    at: datetime


class Asked(Struct, frozen=True, kw_only=True):
    """Facts that some decision was made on, and what was said the last time."""

    facts_hash: bytes
    permit: bool


class Judgement(Struct, frozen=True, kw_only=True):
    """What a policy says about facts, in the bytes that are kept of a verdict."""

    facts_hash: bytes
    body: bytes
    permit: bool


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What a policy says about the facts that a tenant was lately asked about."""

    judgements: tuple[Judgement, ...]
    to_deny: int
    """How many permits of then would be denials."""
    to_permit: int
    unmeasured: tuple[str, ...]
    """Pointers into the tenant's overlay to what this policy can't measure by."""


def faults(overlay: Overlay, months: Sequence[int]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what can't be meant like this, with pointers. `months` are the edges that facts know (docs/facts.md)."""
    if nameless := _nameless(overlay):
        yield "what is denied has a `channel`, a `purpose` or both", nameless
    if turned := _turned(overlay):
        yield "hours end after they begin", turned
    if between := unmeasured(overlay, months):
        yield f"ages are told by these months: {', '.join(map(str, months))}", between


def never_early(
    overlay: Overlay, coming: Coming, on: date, kept: Sequence[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what can't be followed before its day, with pointers.

    What the version before has had, `kept`, may have begun since. Which of the rules that are yet to begin would
    loosen the law, the policy says.
    """
    possible = f"what can be followed early is {', '.join(coming.early(on)) or 'nothing'}"
    unknown, undated, begun = list[str](), list[str](), list[str]()
    for place, name in enumerate(overlay.early):
        if name in coming.days:
            begun += [f"/early/{place}"] if coming.days[name] <= on and name not in kept else []
        else:
            (undated if name in coming.rules else unknown).append(f"/early/{place}")
    for what, pointers in (
        ("there is no rule of this name", unknown),
        ("this rule has no day of its own that is yet to come", undated),
        ("this is in force by now, so to follow it early has no effect", begun),
    ):
        if pointers:
            yield f"{what}; {possible}", tuple(pointers)


def unmeasured(overlay: Overlay, months: Sequence[int]) -> tuple[str, ...]:
    """Return the pointers to what lies between the edges that the facts know."""
    if overlay.stale_months is None or overlay.stale_months in months:
        return ()
    return ("/stale_months",)


def _nameless(overlay: Overlay) -> tuple[str, ...]:
    return tuple(
        f"/denied/{place}"
        for place, denied in enumerate(overlay.denied)
        if denied.channel is None and denied.purpose is None
    )


def _turned(overlay: Overlay) -> tuple[str, ...]:
    days = {} if overlay.hours is None else overlay.hours.days
    return tuple(
        f"/hours/days/{day}/{place}"
        for day, spans in days.items()
        for place, (start, end) in enumerate(spans)
        if end <= start
    )
