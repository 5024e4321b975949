"""What `Decide` reads, asks and logs, against adapters in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from uuid_utils.compat import uuid7

from service.consent import Channel, Profile, State, StateUnreadable, StoredRecord, UnknownPurpose, fold
from service.decisions import (
    NO_OVERLAY,
    Basis,
    Context,
    Decide,
    Decision,
    DecisionUnavailable,
    Effect,
    InForce,
    InstantOutOfRange,
    Law,
    Memo,
    Overlay,
    Policy,
    QuestionTooFarAhead,
    Verdict,
)
from service.decisions.asking import ASKED_AT_MOST, Judged, answer, content_hash
from service.decisions.domain import Cited
from service.decisions.overlay import SHIPPED
from service.decisions.ports import Logged
from service.kernel import Caller, Handle, SubjectId, TenantId, Unavailable
from service.subjects import SubjectFacts, UnknownZone
from tests.builders import a_record
from tests.situations import template_of
from tests.toy_policy import policy

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday, 13:00 in Berlin
ANNA = SubjectId("anna")
CALLER = Caller(tenant=TenantId("t-1"), actor="shop", request="req-1")
POLICY = policy()


class ToyEngine:
    """Permits what has an opt-in that counts, in its hours; says which act it was."""

    def __init__(self) -> None:
        self.policy: Policy = POLICY
        self.asked: list[dict[str, Any]] = []
        self.open_from = 0

    async def evaluate(self, facts: bytes) -> Verdict:
        asked = msgspec.json.decode(facts)
        self.asked.append(asked)
        acts = [place for place, act in enumerate(asked["acts"]) if act["action"] == "opt_in" and "future" not in act]
        refused = any(act["action"] == "opt_out" for act in asked["acts"])
        willing = bool(acts) and not refused
        open_ = all(there["minute"] >= self.open_from for there in asked["clock"].get("local", []))
        allow = willing and open_
        return Verdict(
            allow=allow,
            basis=Basis.CONSENT if allow else Basis.NONE,
            reasons=(
                Cited(rule="EU-EPD-01", effect=Effect.PERMIT, stage=10)
                if allow
                else Cited(rule="ENG-DENY-01", effect=Effect.DENY, stage=0),
            ),
            obligations=("log_decision",) if allow else (),
            acts=tuple(acts) if willing else (),
            closed_hours=willing and not open_,
        )


class MemoryProfiles:
    def __init__(self) -> None:
        self.known: dict[SubjectId, Profile] = {}
        self.failure: Exception | None = None

        self.in_force = SHIPPED

    async def read(self, tenant: TenantId, subject: SubjectId) -> tuple[Profile | None, InForce]:
        if self.failure is not None:
            raise self.failure
        return self.known.get(subject), self.in_force

    async def governing(self, tenant: TenantId) -> InForce:
        return self.in_force

    async def maps_to(self, tenant: TenantId, purpose: str) -> str | None:
        return {"x-club": "marketing"}.get(purpose)


class MemoryLaws:
    """The shipped law, and one more that was activated."""

    def __init__(self, engine: Any, other: Any) -> None:
        self.shipped = Law(engine=engine, memo=Memo(engine))
        self.other = Law(engine=other, memo=Memo(other))

    async def of(self, revision: str | None) -> Law:
        if revision == "sha256:unknown":
            raise DecisionUnavailable("the active policy revision is not stored")
        return self.shipped if revision is None else self.other


class MemoryLog:
    def __init__(self) -> None:
        self.logged: list[Logged] = []
        self.failure: Exception | None = None

    async def append(self, logged: Logged) -> None:
        if self.failure is not None:
            raise self.failure
        self.logged.append(logged)


class World:
    """A service in memory, and what a test changes about it."""

    def __init__(self) -> None:
        self.engine, self.profiles, self.log = ToyEngine(), MemoryProfiles(), MemoryLog()
        self.activated = ToyEngine()
        self.activated.policy = msgspec.structs.replace(POLICY, revision="sha256:activated")
        self.history: list[StoredRecord] = []
        self.now = NOW
        self.decide = Decide(
            self.profiles,
            self.begin,
            self.log,
            MemoryLaws(self.engine, self.activated),
            clock=lambda: self.now,
            new_id=uuid7,
        )

    @asynccontextmanager
    async def begin(self, tenant: TenantId) -> AsyncIterator[Any]:
        async def verdict(revision: str, facts_hash: bytes) -> bytes | None:
            return None

        async def history(handle: Handle) -> Sequence[StoredRecord]:
            return self.history

        yield SimpleNamespace(decisions=SimpleNamespace(verdict=verdict), records=SimpleNamespace(history=history))

    def knows(self, *records: Any, **facts: Any) -> Handle:
        """Make Anna known, with these records."""
        handle = Handle(uuid4())
        known = SubjectFacts(**{"residence": "DE", "time_zone": "Europe/Berlin", **facts})
        state = fold(State(), records, POLICY.vocabulary)
        self.profiles.known[ANNA] = Profile(handle=handle, version=1, facts=known, state=state)
        self.history = [
            StoredRecord(
                id=record.id,
                handle=handle,
                received_at=record.received_at,
                statement=msgspec.convert(
                    {name: value for name, value in msgspec.to_builtins(record).items()
                     if name not in ("id", "subject", "received_at")},
                    type=StoredRecord.__annotations__["statement"],
                ),
            )
            for record in records
        ]  # fmt: skip
        return handle

    async def ask(self, subject: SubjectId = ANNA, **question: Any) -> Decision:
        asked = {"channel": Channel.EMAIL, "purpose": "marketing", "context": Context(), "at": None, **question}
        return await self.decide(subject=subject, by=CALLER, **asked)


@pytest.fixture
def world() -> World:
    return World()


def opt_in(**changes: Any) -> Any:
    return a_record(**{"subject": ANNA, "ts": NOW - timedelta(days=30), "action": "opt_in", **changes})


async def test_a_permit_names_rule_obligations_and_the_record_it_rests_on(world: World):
    agreed = opt_in()
    handle = world.knows(agreed)
    decision = await world.ask()

    assert (decision.permit, decision.basis, decision.records) == (True, Basis.CONSENT, (agreed.id,))
    assert [(reason.rule, reason.title) for reason in decision.reasons] == [("EU-EPD-01", "EU-EPD-01")]
    assert (decision.handle, decision.at, decision.decided_at, decision.revision) == (handle, NOW, NOW, "sha256:test")


async def test_what_is_answered_has_been_logged(world: World):
    world.knows(opt_in())
    decision = await world.ask()

    (logged,) = world.log.logged
    assert logged.decision == decision
    assert logged.by == CALLER
    assert msgspec.json.decode(logged.facts) == world.engine.asked[-1]


async def test_a_decision_that_cannot_be_logged_is_not_told(world: World):
    world.knows(opt_in())
    world.log.failure = Unavailable("the database does not answer")

    with pytest.raises(DecisionUnavailable) as refused:
        await world.ask()
    assert refused.value.details == {"decision": "deny"}


@pytest.mark.parametrize("failure", [Unavailable("gone"), StateUnreadable("damaged")])
async def test_a_subject_that_cannot_be_read_is_denied(world: World, failure: Exception):
    world.profiles.failure = failure

    with pytest.raises(DecisionUnavailable):
        await world.ask()
    assert world.log.logged == []


async def test_a_stranger_is_judged_by_what_is_known_which_is_nothing(world: World):
    decision = await world.ask(SubjectId("nobody"))

    assert (decision.permit, decision.handle, decision.records) == (False, None, ())
    assert world.engine.asked[-1]["places"] == {"residence": "ZZ"}
    assert [reason.rule for reason in decision.reasons] == ["ENG-DENY-01"]


async def test_a_withdrawal_is_seen_by_the_very_next_check(world: World):
    agreed = opt_in()
    world.knows(agreed)
    assert (await world.ask()).permit

    world.knows(agreed, opt_in(action="opt_out", ts=NOW))
    assert not (await world.ask()).permit


async def test_an_earlier_instant_is_answered_from_the_history(world: World):
    """The state keeps the newest act of a kind; what counted before it is in the records alone."""
    first, again = opt_in(), opt_in(ts=NOW - timedelta(days=1))
    world.knows(first, again)
    earlier = await world.ask(at=NOW - timedelta(days=10))

    assert (earlier.permit, earlier.records) == (True, (first.id,))
    assert not (await world.ask(at=NOW - timedelta(days=40))).permit


async def test_a_question_may_look_a_day_ahead_and_no_further(world: World):
    world.knows(opt_in())
    assert (await world.ask(at=NOW + timedelta(hours=24))).at == NOW + timedelta(hours=24)

    with pytest.raises(QuestionTooFarAhead):
        await world.ask(at=NOW + timedelta(hours=24, microseconds=1))


@pytest.mark.parametrize("year", [1, 1899])
async def test_a_year_before_every_calendar_is_refused(world: World, year: int):
    with pytest.raises(InstantOutOfRange):
        await world.ask(at=datetime(year, 1, 1, tzinfo=UTC))


async def test_an_own_purpose_is_judged_as_the_known_one_it_maps_onto(world: World):
    world.knows(opt_in(purpose="x-club"))
    decision = await world.ask(purpose="x-club")

    assert (decision.permit, decision.purpose) == (True, "x-club")
    assert world.engine.asked[-1]["question"]["purpose"] == "marketing"


async def test_a_purpose_that_nobody_registered_is_refused(world: World):
    with pytest.raises(UnknownPurpose):
        await world.ask(purpose="x-other")
    assert world.log.logged == []


async def test_a_plausible_zone_that_does_not_exist_is_refused(world: World):
    with pytest.raises(UnknownZone):
        await world.ask(context=Context(plausible_time_zones=["Europe/Atlantis"]))


async def test_a_closed_hour_names_the_next_opening_in_the_recipients_offset(world: World):
    world.knows(opt_in(channel="phone"))
    world.engine.open_from = 1200
    decision = await world.ask(channel=Channel.PHONE)

    assert not decision.permit
    assert decision.retry_after is not None
    assert decision.retry_after.isoformat() == "2026-11-20T20:00:00+01:00"


async def test_without_an_opening_in_two_weeks_there_is_none_to_name(world: World):
    world.knows(opt_in(channel="phone"))
    world.engine.open_from = 1500

    assert (await world.ask(channel=Channel.PHONE)).retry_after is None


async def test_the_search_for_an_opening_ends_however_many_hours_there_are():
    minutes = [f"{hour:02}:{minute:02}" for hour in range(8, 16) for minute in (0, 20, 40)]
    hours = [
        {
            "ts": "2026-03-01T10:00:00Z",
            "channel": "phone",
            "action": "opt_in",
            "hours_consent": "-".join(pair),
            "brand": pair[0],
        }
        for pair in pairwise(minutes)
    ]
    case = {
        "jurisdiction": "DE", "channel": "phone", "purpose": "marketing", "at": NOW.isoformat(), "records": hours,
        "context": {"plausible_time_zones": ["Europe/Berlin", "America/Los_Angeles", "America/New_York"]},
    }  # fmt: skip
    asked: list[bytes] = []
    closed = Verdict(
        allow=False,
        basis=Basis.NONE,
        reasons=(Cited(rule="EU-EPD-01", effect=Effect.DENY, stage=14),),
        obligations=(),
        acts=(),
        closed_hours=True,
    )

    async def evaluate(facts: bytes) -> Judged:
        asked.append(facts)
        return Judged.of(closed, content_hash(facts))

    assert (await answer(template_of(case, POLICY), NOW, evaluate)).retry_after is None
    assert len(asked) == 1 + ASKED_AT_MOST


async def test_an_answer_says_until_when_it_holds(world: World):
    world.knows(opt_in(expires_at=NOW + timedelta(days=3)))

    assert (await world.ask()).valid_until == NOW + timedelta(days=3)


async def test_decisions_have_ids_of_their_own(world: World):
    world.knows(opt_in())
    decisions = await asyncio.gather(*(world.ask() for _ in range(5)))

    assert len({decision.id for decision in decisions}) == 5


async def test_the_active_revision_answers_and_is_named(world):
    world.profiles.in_force = InForce(revision="sha256:activated", version=0, overlay=NO_OVERLAY)

    decision = await world.ask()

    assert decision.policy == "sha256:activated"
    assert world.activated.asked
    assert not world.engine.asked


async def test_a_revision_that_cannot_be_loaded_is_a_no(world):
    world.profiles.in_force = InForce(revision="sha256:unknown", version=0, overlay=NO_OVERLAY)

    with pytest.raises(DecisionUnavailable):
        await world.ask()
    assert not world.log.logged


async def test_the_overlay_is_among_the_facts_and_its_version_in_the_name_of_the_policy(world):
    world.profiles.in_force = InForce(revision=None, version=3, overlay=Overlay(stale_months=12))

    decision = await world.ask()

    assert world.engine.asked[-1]["overlay"] == {"stale_months": 12}
    assert decision.policy == f"{POLICY.revision}+overlay.3"
