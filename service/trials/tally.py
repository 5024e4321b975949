"""What is counted of a trial. Adding is all there is; what was counted is stored at each step."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.decisions import Effect, Verdict

EXAMPLES: Final = 5
"""Ids that are kept for each group."""


class Compared(Struct, frozen=True, kw_only=True):
    """Two verdicts on the same situation."""

    then: bool
    now: bool
    rules: tuple[str, ...]
    """The rules that deny, on the side that denies, where one permits and the other denies."""
    same_reasons: bool


class Seen(Struct, frozen=True, kw_only=True):
    """One decision or subject that was looked at."""

    id: UUID
    channel: str
    purpose: str
    revision: str
    compared: Compared | None
    """Nothing where nobody can tell."""


class Group(Struct, kw_only=True):
    """The changes that have something in common."""

    to_deny: int = 0
    to_permit: int = 0
    examples: list[UUID] = []


class Tally(Struct, kw_only=True):
    """How many would change, and which."""

    judged: int = 0
    to_deny: int = 0
    to_permit: int = 0
    reasons_changed: int = 0
    """The same answer for other reasons."""
    unjudged: int = 0
    rules: dict[str, Group] = {}
    channels: dict[str, Group] = {}
    purposes: dict[str, Group] = {}
    revisions: dict[str, int] = {}
    """How many were judged then under each revision."""

    @property
    def unchanged(self) -> int:
        return self.judged - self.to_deny - self.to_permit

    def add(self, seen: Seen) -> None:
        self.revisions[seen.revision] = self.revisions.get(seen.revision, 0) + 1
        compared = seen.compared
        if compared is None:
            self.unjudged += 1
            return
        self.judged += 1
        if compared.then == compared.now:
            self.reasons_changed += not compared.same_reasons
            return
        self.to_permit += compared.now
        self.to_deny += compared.then
        _count(self.channels, [seen.channel], seen, compared)
        _count(self.purposes, [seen.purpose], seen, compared)
        _count(self.rules, compared.rules, seen, compared)


class Standing(Struct, frozen=True, kw_only=True):
    """How far a trial got."""

    done: int
    after: str | None
    """The last that was looked at, as its source names places."""
    tally: Tally


def compare(then: Verdict, now: Verdict) -> Compared:
    denies = now if then.allow else then
    return Compared(
        then=then.allow,
        now=now.allow,
        rules=_denying(denies) if then.allow != now.allow else (),
        same_reasons=_reasons(then) == _reasons(now),
    )


def _count(groups: dict[str, Group], names: Iterable[str], seen: Seen, compared: Compared) -> None:
    for name in names:
        group = groups.setdefault(name, Group())
        group.to_permit += compared.now
        group.to_deny += compared.then
        if len(group.examples) < EXAMPLES:
            group.examples.append(seen.id)


def _denying(verdict: Verdict) -> tuple[str, ...]:
    return tuple(sorted({reason.rule for reason in verdict.reasons if reason.effect is Effect.DENY}))


def _reasons(verdict: Verdict) -> frozenset[tuple[str, Effect]]:
    return frozenset((reason.rule, reason.effect) for reason in verdict.reasons)
