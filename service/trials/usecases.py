from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from service.audit import AuditEvent
from service.consent import Profiles, is_tenant_purpose
from service.decisions import (
    Context,
    DecisionUnavailable,
    InForce,
    Laws,
    Overlay,
    Policy,
    edges,
    meaning,
    ordinary,
)
from service.kernel import Caller, Clock, DomainError, NewId, TenantId
from service.policies import CheckOverlay
from service.subjects import UnknownZone
from service.trials.domain import (
    UNFINISHED,
    Base,
    Candidate,
    CandidateRefused,
    NamedChange,
    Over,
    Period,
    Plan,
    Population,
    Span,
    Survey,
    TooManyTrials,
    Trial,
    TrialUnknown,
    TrialUnusable,
    step,
)
from service.trials.edges import measures_months, refolded, restated, unseen, untold
from service.trials.ports import Begin, Shapes, Wake, Workbench

_MONTHS_OF_PLACES: Final = "logged facts tell months by the periods that the laws of their place had, and no others"


class StartTrial:
    """Take a candidate on, or say why it is none. Nothing of it ever governs."""

    def __init__(
        self,
        begin: Begin,
        profiles: Profiles[InForce],
        laws: Laws,
        check: CheckOverlay,
        bench: Workbench,
        shapes: Shapes,
        clock: Clock,
        new_id: NewId,
        wake: Wake,
    ) -> None:
        self._begin = begin
        self._profiles = profiles
        self._laws = laws
        self._check = check
        self._bench = bench
        self._shapes = shapes
        self._clock = clock
        self._new_id = new_id
        self._wake = wake

    async def __call__(self, candidate: Candidate, over: Over, *, by: Caller) -> Trial:
        """Store a trial, which begins when somebody is free.

        Raises:
            TrialUnusable, OverlayLoosens, OverlayUnusable, UnknownPurpose, UnknownZone: with
                pointers to what can't be tried.
            CandidateRefused: the candidate is no policy.
            RegoNotOffered, TooManyTrials
            DecisionUnavailable: what governs can't be loaded.
        """
        if candidate == Candidate():
            raise TrialUnusable("name what is to be tried: an `overlay`, `tables` or `modules`", pointers=[""])
        now = self._clock()
        in_force = await self._profiles.governing(by.tenant)
        law = (await self._laws.of(in_force.revision)).policy
        tried_over = await self._over(over, law, now, by.tenant)
        await self._refuse_unusable(candidate, tried_over, law, in_force.overlay, now, by)
        plan = Plan(
            candidate=candidate,
            over=tried_over,
            base=Base(revision=law.revision, version=in_force.version, overlay=in_force.overlay),
        )
        trial = self._new_id()
        async with self._begin(by.tenant) as tx:
            if await tx.trials.unfinished() >= UNFINISHED:
                raise TooManyTrials(f"{UNFINISHED} trials are under way; wait for one to end", most=UNFINISHED)
            await tx.trials.add(trial, plan, at=now, actor=by.actor)
            await tx.audit.append(event=AuditEvent.POLICY_TRIED, object_id=str(trial), by=by)
            stored = await tx.trials.find(trial)
        self._wake(by.tenant)
        if stored is None:
            raise TrialUnknown("the trial that was stored is not there")
        return stored

    async def _over(self, over: Over, law: Policy, now: datetime, tenant: TenantId) -> Period | Population:
        match over:
            case Over(decisions=Span(since=since, until=until), subjects=None):
                end = now if until is None else min(until, now)
                if since >= end:
                    raise TrialUnusable("the period ends before it begins", pointers=["/over/decisions"])
                return Period(since=since, until=end)
            case Over(decisions=None, subjects=Survey() as survey):
                context = survey.context or Context()
                for place, zone in enumerate(context.plausible_time_zones or ()):
                    if zone not in law.gazetteer.zones:
                        pointer = f"/over/subjects/context/plausible_time_zones/{place}"
                        raise UnknownZone("no such time zone", pointers=[pointer])
                own = is_tenant_purpose(survey.purpose)
                mapped = await self._profiles.maps_to(tenant, survey.purpose) if own else None
                with _below("/over/subjects"):
                    known = meaning(survey.purpose, mapped)
                return Population(
                    channel=survey.channel,
                    purpose=survey.purpose,
                    meaning=known,
                    context=replace(context, subject_line=None),  # it may hold anything, and nothing looks at it
                    at=now,
                )
            case _:
                raise TrialUnusable("try over `decisions` or over `subjects`", pointers=["/over"])

    async def _refuse_unusable(
        self,
        candidate: Candidate,
        over: Period | Population,
        law: Policy,
        own: Overlay,
        now: datetime,
        by: Caller,
    ) -> None:
        self._refuse_misshapen(candidate.tables)
        logged = isinstance(over, Period)
        if candidate.overlay is not None:
            with _below("/overlay"):
                await self._check(candidate.overlay, since=over.since if isinstance(over, Period) else over.at, by=by)
            if logged:
                _refuse_unseen_hours(candidate.overlay, law)
                _refuse_unseen_months(candidate.overlay, law, own)
        if tables := refolded(candidate.tables, law.tables):
            raise TrialUnusable(
                "records became what they are by this table; only another version can bring another one",
                pointers=[step("/tables", table) for table in tables],
            )
        if logged and (tables := restated(candidate.tables, law.tables)):
            raise TrialUnusable(
                "logged facts were stated with the tables of then; try these over `subjects`",
                pointers=[step("/tables", table) for table in tables],
            )
        if logged and (files := [name for name, text in candidate.modules.items() if measures_months(text)]):
            raise TrialUnusable(
                f"{_MONTHS_OF_PLACES}; what else a rule compares them with shows over `subjects`",
                pointers=[step("/modules", name) for name in files],
            )
        if not (candidate.tables or candidate.modules):
            return
        async with self._bench.opened(law.revision, candidate) as judge:
            found = list(unseen(judge.policy.tables, judge.policy.data.bands))
            if found:
                pointers = [f"/tables{each.pointer}" for each in found if each.table in candidate.tables]
                known = "; ".join(sorted({each.known for each in found}))
                raise TrialUnusable(
                    f"facts tell values apart by the edges in `bands` alone, which are {known}",
                    pointers=pointers or ["/tables/bands"],
                )
            if logged and (found := list(untold(judge.policy.data, law.data))):
                pointers = [f"/tables{each.pointer}" for each in found if each.table in candidate.tables]
                raise TrialUnusable(
                    f"{_MONTHS_OF_PLACES}; try other ones over `subjects`", pointers=pointers or ["/tables"]
                )
            try:
                await judge.verdicts(ordinary(judge.policy, now))
            except DecisionUnavailable as error:
                place = "/modules" if candidate.modules else "/tables"
                raise CandidateRefused(
                    "the candidate gives no verdict on ordinary questions, or needs more than its share of time",
                    pointers=[place],
                ) from error

    def _refuse_misshapen(self, tables: Mapping[str, Any]) -> None:
        if unknown := [name for name in tables if name not in self._shapes]:
            raise TrialUnusable(
                "decisions rest on no table of this name", pointers=[step("/tables", name) for name in unknown]
            )
        for name, document in tables.items():
            for fault in self._shapes.faults(name, document):
                pointer = step("/tables", name) + fault.pointer
                raise TrialUnusable(f"{fault.detail} in the table `{name}`", pointers=[pointer])


class ReadTrial:
    """Show a trial. One that nobody goes on with any more is taken up again."""

    def __init__(self, begin: Begin, clock: Clock, wake: Wake) -> None:
        self._begin = begin
        self._clock = clock
        self._wake = wake

    async def __call__(self, trial: UUID, *, by: Caller) -> Trial:
        """Raises: TrialUnknown"""
        async with self._begin(by.tenant) as tx:
            found = await tx.trials.find(trial)
        if found is None:
            raise TrialUnknown("there is no trial with this id")
        if found.idle(self._clock()):
            self._wake(by.tenant)
        return found


class ReadTrials:
    """Show the tenant's trials, the newest first. Those that nobody goes on with any more are taken up again."""

    def __init__(self, begin: Begin, clock: Clock, wake: Wake) -> None:
        self._begin = begin
        self._clock = clock
        self._wake = wake

    async def __call__(self, *, before: UUID | None, limit: int, by: Caller) -> tuple[Sequence[Trial], UUID | None]:
        """Return trials, and before which one to go on if more are there."""
        async with self._begin(by.tenant) as tx:
            found = await tx.trials.latest(before=before, limit=limit + 1)
        now = self._clock()
        if any(trial.idle(now) for trial in found):
            self._wake(by.tenant)
        shown = found[:limit]
        return shown, shown[-1].id if len(found) > limit else None


class ReadChanges:
    """Show what a trial would change, a page at a time; more may follow while it runs."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(
        self, trial: UUID, *, after: UUID | None, limit: int, by: Caller
    ) -> tuple[list[NamedChange], bool, UUID | None]:
        """Return changes in the order of their ids, whether they are of people, and where to go on if more are there.

        Raises:
            TrialUnknown
        """
        async with self._begin(by.tenant) as tx:
            found = await tx.trials.find(trial)
            if found is None:
                raise TrialUnknown("there is no trial with this id")
            changes = await tx.trials.changes(trial, after=after, limit=limit + 1)
            shown = changes[:limit]
            people = isinstance(found.over, Population)
            names = await tx.subjects.names([change.id for change in shown]) if people else {}
        return (
            [NamedChange(change=change, subject=names.get(change.id)) for change in shown],
            people,
            shown[-1].id if len(changes) > limit else None,
        )


@contextmanager
def _below(pointer: str) -> Iterator[None]:
    """Point to what is wrong from the whole body's root on."""
    try:
        yield
    except DomainError as error:
        error.pointers = tuple(pointer + place for place in error.pointers)
        raise


def _refuse_unseen_months(overlay: Overlay, law: Policy, own: Overlay) -> None:
    if overlay.stale_months in (None, own.stale_months) or law.data.measures is None:
        return
    raise TrialUnusable(f"{_MONTHS_OF_PLACES}; try your own over `subjects`", pointers=["/overlay/stale_months"])


def _refuse_unseen_hours(overlay: Overlay, law: Policy) -> None:
    known = law.data.bands.minutes
    if edges(overlay) <= set(known):
        return
    told = ", ".join(f"{minute // 60:02}:{minute % 60:02}" for minute in known)
    raise TrialUnusable(
        f"logged facts tell the hour by these edges alone: {told}; try other hours over `subjects`",
        pointers=["/overlay/hours"],
    )
