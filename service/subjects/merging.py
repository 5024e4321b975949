"""Two subjects are one person: what is known about them then."""

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from service.kernel import DomainError
from service.subjects.domain import ContradictoryFacts, Flags, Signals, SubjectFacts, check_consistency

Choice = Literal["ours", "theirs"]
"""Whose facts count where two contradict each other: the survivor's, or those of who becomes another name."""

_LATEST: Final = frozenset({"last_interaction_at", "last_sent_at", "age_declared_at"})
"""What happens again and again. The later time is the last one of the person that both are; declared later, the same
age makes them younger."""
_HOW_OLD: Final = ("birth_date", "age", "age_declared_at")
"""Facts that belong together: those of the two sides are never mixed against each other."""
_STATED: Final = frozenset({"consumer_known", "number_reassigned_after"})
_REFUSING: Final = frozenset(Signals.__struct_fields__) - _STATED - {"gpc_first_seen"}
"""Signals of which one that is true wins: each of them speaks against a contact."""


class MergeContradictory(DomainError):
    """The facts about the two can't all be true of one person. Nothing was merged."""

    code = "merge_contradictory"


class AlreadyMerged(DomainError):
    """One of the two is another name of somebody else already, or of the other one."""

    code = "already_merged"


class MergeWithItself(DomainError):
    """A subject can't be merged with itself, or be told apart from itself."""

    code = "merge_with_itself"


class Known(Struct, frozen=True, kw_only=True):
    """What one side brings along: what is known, and when it last agreed to anything."""

    facts: SubjectFacts
    flags: Flags
    agreed_at: datetime | None


def unite_facts(ours: Known, theirs: Known, choice: Choice | None, now: datetime) -> SubjectFacts:
    """Return what is known about the person that both are.

    Raises:
        MergeContradictory: pointing to the facts that contradict each other, where no choice was made.
    """
    first, second = (theirs, ours) if choice == "theirs" else (ours, theirs)
    signals, contradictory = _signals(first, second)
    known: dict[str, Any] = {"signals": signals}
    for name, value in asdict(first.facts).items():
        other = getattr(second.facts, name)
        if name == "signals":
            continue
        if value is not None and other is not None and value != other:
            if name in _LATEST:
                value = max(value, other)
            else:
                contradictory.append(f"/{name}")
        known[name] = other if value is None else value
    united = SubjectFacts(**known)
    try:
        check_consistency(united, now)
    except ContradictoryFacts as error:
        contradictory += [pointer for pointer in error.pointers if pointer not in contradictory]
    if contradictory and choice is None:
        raise MergeContradictory("these facts can't all be true of one person", pointers=contradictory)
    if any(f"/{name}" in contradictory for name in _HOW_OLD):
        united = replace(united, **{name: getattr(first.facts, name) for name in _HOW_OLD})
    return united


def unite_flags(ours: Known, theirs: Known) -> Flags:
    """Return every flag of either side. One that an act can answer is not answered by an older act of the other side.

    Whether it is still open who they are is for others to say.
    """
    one, other = asdict(ours.flags), asdict(theirs.flags)
    united: dict[str, Any] = {
        name: True for name in one if name != "merge_unresolved" and (one[name] is True or other[name] is True)
    }
    if united.get("suppressed"):
        united["suppressed_at"] = _unanswered(
            (one["suppressed"] is True, one["suppressed_at"], theirs.agreed_at),
            (other["suppressed"] is True, other["suppressed_at"], ours.agreed_at),
        )
    if united.get("restricted"):
        # Without a date a restriction yields to any consent given meanwhile, so here a date is the stricter.
        dates = [one["restricted_at"], theirs.agreed_at] if one["restricted"] else []
        dates += [other["restricted_at"], ours.agreed_at] if other["restricted"] else []
        united["restricted_at"] = max((date for date in dates if date is not None), default=None)
    matches = {match for match in (one["drop_match"], other["drop_match"]) if match is not None}
    if matches:
        # A hit that is sure goes before one that isn't, and both before words of others.
        united["drop_match"] = min(matches, key=lambda match: (match != "verified", match != "unverified", match))
    return Flags(**united)


def _signals(first: Known, second: Known) -> tuple[Signals, list[str]]:
    one, other = asdict(first.facts.signals), asdict(second.facts.signals)
    united: dict[str, Any] = {}
    contradictory = []
    for name, value in one.items():
        if name in _REFUSING and other[name] is True:
            value = True
        elif name in _STATED and None not in (value, other[name]) and value != other[name]:
            contradictory.append(f"/signals/{name}")
        united[name] = other[name] if value is None else value
    if united["gpc"]:
        united["gpc_first_seen"] = _unanswered(
            (one["gpc"] is True, one["gpc_first_seen"], second.agreed_at),
            (other["gpc"] is True, other["gpc_first_seen"], first.agreed_at),
        )
    return Signals(**united), contradictory


def _unanswered(*refusals: tuple[bool, datetime | None, datetime | None]) -> datetime | None:
    """Return since when a standing refusal counts: none is answered by what the other side agreed to.

    Each is whether it was told, when, and when the other side last agreed. One without a date can't be answered by
    any act, and stays so.
    """
    dates = []
    for told, at, answered_at in refusals:
        if told:
            if at is None:
                return None
            dates.append(at if answered_at is None else max(at, answered_at))
    return max(dates)
