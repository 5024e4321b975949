"""What a candidate is tried on: decisions of the log, or the people of today."""

from collections.abc import Sequence
from typing import Final

import msgspec

from service.consent import Profile, Purpose, is_tenant_purpose, state_at
from service.consent import State as Willing
from service.decisions import (
    LogEntry,
    LogPlace,
    Overlay,
    PolicyData,
    Question,
    Verdict,
    about,
    edges,
    in_every_edge,
    stale_months,
    under_overlay,
)
from service.kernel import SubjectId, TenantId
from service.trials.domain import Period, Person, Plan, Population
from service.trials.edges import unseen, untold
from service.trials.ports import Begin, Judge, People, Workbench
from service.trials.tally import Compared, Seen, compare

DECISIONS: Final = 500
"""How many decisions make a step: half a second, if no two of them share their facts."""
SUBJECTS: Final = 250
REMEMBERED: Final = 200_000
"""Comparisons that are kept, at some hundred bytes each."""

Key = tuple[str, bytes, str]
"""What a comparison depends on: the revision of then, the facts, and the name of a purpose of the tenant's own."""


class Logged:
    """Decisions of a period, the oldest first. Those who share their facts share their comparison."""

    def __init__(
        self, begin: Begin, tenant: TenantId, period: Period, overlay: Overlay | None, judge: Judge, bench: Workbench
    ) -> None:
        self._begin = begin
        self._tenant = tenant
        self._period = period
        self._overlay = overlay
        self._judge = judge
        self._bench = bench
        self._known: dict[Key, Compared | None] = {}
        self._tells_apart: dict[str, bool] = {}
        self._stated: dict[str, PolicyData | None] = {}

    async def count(self) -> int:
        async with self._begin(self._tenant) as tx:
            return await tx.decisions.count(self._period.since, self._period.until)

    async def step(self, after: str | None) -> tuple[list[Seen], str | None]:
        place = None if after is None else msgspec.json.decode(after, type=LogPlace)
        async with self._begin(self._tenant) as tx:
            entries = await tx.decisions.between(self._period.since, self._period.until, after=place, limit=DECISIONS)
        known = await self._compared(entries)
        seen = [
            Seen(
                id=entry.id,
                channel=entry.channel,
                purpose=entry.purpose,
                revision=entry.revision,
                compared=known.get(self._key(entry)),
            )
            for entry in entries
        ]
        if len(entries) < DECISIONS:
            return seen, None
        last = LogPlace(entries[-1].decided_at, entries[-1].id)
        return seen, msgspec.json.encode(last).decode()

    def _key(self, entry: LogEntry) -> Key:
        named = self._overlay is not None and is_tenant_purpose(entry.purpose)
        return entry.revision, entry.facts_hash, entry.purpose if named else ""

    async def _compared(self, entries: Sequence[LogEntry]) -> dict[Key, Compared | None]:
        """Return the comparisons that `entries` need, as far as their facts can tell."""
        wanted: dict[Key, LogEntry] = {}
        for entry in entries:
            if self._key(entry) not in self._known and await self._can_tell(entry.revision):
                wanted.setdefault(self._key(entry), entry)
        if wanted:
            if len(self._known) + len(wanted) > REMEMBERED:
                self._known.clear()
            await self._judge_all(wanted)
        return self._known

    async def _judge_all(self, wanted: dict[Key, LogEntry]) -> None:
        async with self._begin(self._tenant) as tx:
            stored = await tx.decisions.judged({(revision, facts_hash) for revision, facts_hash, _ in wanted})
        asked: dict[Key, bytes] = {}
        for key, entry in wanted.items():
            facts, _ = stored[key[0], key[1]]
            if not self._shows_age(entry.revision, facts):
                self._known[key] = None
                continue
            if self._overlay is not None:
                facts = under_overlay(facts, entry.purpose, self._overlay, entry.decided_at)
            asked[key] = facts
        distinct = list(dict.fromkeys(asked.values()))
        now = dict(zip(distinct, await self._judge.verdicts(distinct), strict=True))
        for key, facts in asked.items():
            then = msgspec.json.decode(stored[key[0], key[1]][1], type=Verdict)
            self._known[key] = compare(then, now[facts])

    async def _can_tell(self, revision: str) -> bool:
        """Whether facts of a revision tell apart what the candidate measures. One that is gone had today's edges."""
        if revision not in self._tells_apart:
            then = self._stated[revision] = await self._bench.stated(revision)
            self._tells_apart[revision] = then is None or (
                next(unseen(self._judge.policy.tables, then.bands), None) is None
                and next(untold(self._judge.policy.data, then), None) is None
                and (self._overlay is None or edges(self._overlay) <= set(then.bands.minutes))
                and (self._overlay is None or self._overlay.stale_months in (None, *then.bands.months))
            )
        return self._tells_apart[revision]

    def _shows_age(self, revision: str, facts: bytes) -> bool:
        """Whether facts know the tenant's own months, as those do that were stated under an overlay with the same."""
        wanted = None if self._overlay is None else self._overlay.stale_months
        then = self._stated[revision]
        if wanted is None or (then is not None and then.measures is None):
            return True
        return stale_months(facts) == wanted


class Surveyed:
    """Every subject, in the order of their ids, asked one question under both."""

    def __init__(self, begin: Begin, tenant: TenantId, plan: Plan, before: Judge, judge: Judge, people: People) -> None:
        if not isinstance(plan.over, Population):
            raise TypeError("only people can be surveyed")
        self._begin = begin
        self._tenant = tenant
        self._over = plan.over
        self._base = plan.base
        self._overlay = plan.base.overlay if plan.candidate.overlay is None else plan.candidate.overlay
        self._by_rego = bool(plan.candidate.modules)
        """What files of Rego measure is in no table."""
        self._before = before
        self._judge = judge
        self._people = people
        self._question = Question(
            channel=plan.over.channel,
            purpose=plan.over.purpose,
            meaning=Purpose(plan.over.meaning),
            at=plan.over.at,
            context=plan.over.context,
        )

    async def count(self) -> int:
        async with self._begin(self._tenant) as tx:
            return await tx.subjects.count()

    async def step(self, after: str | None) -> tuple[list[Seen], str | None]:
        async with self._begin(self._tenant) as tx:
            found = await tx.subjects.page(after=None if after is None else SubjectId(after), limit=SUBJECTS)
        people = [Person(subject=subject, handle=handle) for subject, handle in found]
        profiles = await self._people.profiles(self._tenant, [person.subject for person in people])
        states = {
            person.subject: (profile, await self._state(person.subject, profile))
            for person, profile in zip(people, profiles, strict=True)
            if profile is not None
        }
        then = await self._verdicts(self._before, self._base.overlay, states)
        now = await self._verdicts(self._judge, self._overlay, states, finest=self._by_rego)
        seen = [
            Seen(
                id=person.handle,
                channel=self._over.channel,
                purpose=self._over.purpose,
                revision=self._base.revision,
                compared=compare(then[person.subject], now[person.subject]) if person.subject in states else None,
            )
            for person in people
        ]
        return seen, people[-1].subject if len(people) == SUBJECTS else None

    async def _state(self, subject: SubjectId, profile: Profile) -> Willing:
        """Return the state that answers about the question's instant, as `Decide` does."""
        newest = profile.state.newest
        if newest is None or self._over.at >= newest:
            return profile.state
        async with self._begin(self._tenant) as tx:
            history = await tx.records.history(profile.handle)
        return state_at([stored.of(subject) for stored in history], self._before.policy.vocabulary, self._over.at)

    async def _verdicts(
        self,
        judge: Judge,
        overlay: Overlay,
        states: dict[SubjectId, tuple[Profile, Willing]],
        *,
        finest: bool = False,
    ) -> dict[SubjectId, Verdict]:
        law = in_every_edge(judge.policy) if finest else judge.policy
        asked = {
            subject: about(self._question, subject, profile.facts, state, overlay, law, profile.flags)
            for subject, (profile, state) in states.items()
        }
        distinct = list(dict.fromkeys(asked.values()))
        verdicts = dict(zip(distinct, await judge.verdicts(distinct), strict=True))
        return {subject: verdicts[facts] for subject, facts in asked.items()}
