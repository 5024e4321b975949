"""Whoever is answered from a narrow row gets what the ordinary way gives, to the last byte of the facts."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.decisions.alike import Alike
from service.decisions.clocks import Zones
from service.decisions.facts import Situation, fill, template
from service.decisions.narrow import NEVER, NEWEST, NOBODYS, Narrow, days_in, framed_by, from_micros, micros, narrowed
from service.decisions.policy import Policy
from service.decisions.simulation import Case, described
from tests.situations import NOON, cases, tried

LATER = st.sampled_from([0, 3, 3, 40, 40, 400])


def zone(name: str | None) -> ZoneInfo | None:
    return None if name is None else ZoneInfo(name)


def situation_of(case: dict[str, Any], policy: Policy, later: int) -> Situation:
    """Return the situation of a case as one about a person who is stored, asked about so many days later."""
    situation = described(msgspec.convert(case, Case), policy, None, NOON).situation
    known = situation.zones.known
    return replace(
        situation,
        facts=replace(situation.facts, time_zone=None if known is None else known.key),
        question=replace(situation.question, also=None, at=situation.question.at + timedelta(days=later)),
    )


def alike_for(situation: Situation, policy: Policy) -> Alike:
    plausible = situation.zones.plausible
    return Alike(
        situation.question,
        situation.overlay,
        policy,
        lambda name: Zones(known=zone(name), plausible=plausible),
    )


def row_of(situation: Situation) -> Narrow:
    return narrowed(situation.facts, situation.flags, situation.state, zone)


@tried(1_000)
@given(case=cases(), later=LATER, dated=st.booleans(), since=st.sampled_from([0, 1, 30]))
def test_the_facts_are_those_of_the_ordinary_way(
    policy: Policy, case: dict[str, Any], later: int, dated: bool, since: int
):
    situation = situation_of(case, policy, later)
    at = situation.question.at + timedelta(minutes=since)
    if not dated:
        situation = replace(situation, facts=replace(situation.facts, age_declared_at=None))
    row = row_of(situation)
    if row == NOBODYS:
        event("read at length: no frame")
        return
    framed, days = framed_by(row.body), days_in(row.days)
    assert framed is not None
    alike = alike_for(situation, policy)
    made = alike.plan(framed, days)
    assert made is not None
    plan = made[0]
    placed = alike.place(plan, days)
    event("read at length: its days" if placed is None else "answered")
    if placed is not None and micros(at) < min(placed[1], alike.until):
        asked = replace(situation, question=replace(situation.question, at=at))
        ordinary = fill(template(asked, policy.data, policy.is_holiday), at)
        assert alike.filled(alike.template(framed, days)).facts == ordinary.facts
        assert (None if placed[1] == NEVER else from_micros(placed[1])) == ordinary.valid_until


@tried(1_000)
@given(case=cases(), later=LATER, moved=st.lists(st.integers(0, 40), min_size=5, max_size=5))
def test_who_is_alike_has_the_same_facts(policy: Policy, case: dict[str, Any], later: int, moved: list[int]):
    situation = situation_of(case, policy, later)
    row = row_of(situation)
    if row == NOBODYS:
        return
    framed, days = framed_by(row.body), list(days_in(row.days))
    assert framed is not None
    alike = alike_for(situation, policy)
    made = alike.plan(framed, days)
    assert made is not None
    plan = made[0]
    layout = framed.layout
    other = list(days)
    earlier, *others = moved
    for place in (*layout.acts, *layout.began.values()):
        other[place] -= 4 * earlier  # all alike, or their order would be another
    if "moved_at" in layout.dated:
        other[layout.dated["moved_at"]] -= earlier
    for name, days_more in zip(sorted(layout.dated.keys() - {"moved_at"}), others, strict=False):
        other[layout.dated[name]] -= (1 if name == "birth_date" else 4) * days_more
    if "birth_date" in layout.dated and not 0 < other[layout.dated["birth_date"]] < date.max.toordinal():
        return
    ours, theirs = alike.place(plan, days), alike.place(plan, other)
    if ours is not None and theirs is not None and ours[0] == theirs[0]:
        event("alike")
        assert alike.filled(alike.template(framed, days)).facts == alike.filled(alike.template(framed, other)).facts
    if theirs is not None and other[NEWEST] == days[NEWEST]:
        until = alike.filled(alike.template(framed, other)).valid_until
        assert (None if theirs[1] == NEVER else from_micros(theirs[1])) == until


ENDS = NOON + timedelta(hours=72 + 10 * 11)


def said(action: str, **more: Any) -> dict[str, Any]:
    proved = {"method": "double_opt_in", "evidence": "form", "notice_version": "v3", "purpose": "marketing"}
    return {
        "ts": (NOON - timedelta(hours=9)).isoformat(),
        "channel": "phone",
        "action": action,
        **(proved if action == "opt_in" else more),
    }


@pytest.mark.parametrize("subject", [{"residence": "FR", "age": 40}, {"residence": "US", "age": 40}, {"age": 12}])
@pytest.mark.parametrize(
    "records",
    [
        pytest.param([said("opt_in")], id="an act of these days"),
        pytest.param([said("opt_in"), said("call_attempt")], id="an attempt of this month"),
        pytest.param([said("opt_in") | {"expires_at": ENDS.isoformat()}], id="a consent that ends"),
        pytest.param([said("opt_in"), said("refused_in_call", purpose="marketing")], id="a refusal in a call"),
    ],
)
def test_days_tell_the_same_at_each_hour_from_when_something_was(
    policy: Policy, subject: dict[str, Any], records: list[dict[str, Any]]
):
    case = {"channel": "phone", "purpose": "marketing", "subject": subject, "records": records, "at": NOON.isoformat()}
    first = situation_of(case, policy, 0)
    row = row_of(first)
    framed, days = framed_by(row.body), days_in(row.days)
    assert framed is not None
    answered = 0
    for hours in (*range(0, 72, 3), *range(72, 70 * 24, 11)):
        at = NOON + timedelta(hours=hours)
        asked = replace(first, question=replace(first.question, at=at))
        alike = alike_for(asked, policy)
        made = alike.plan(framed, days)
        assert made is not None
        if (placed := alike.place(made[0], days)) is not None:
            answered += 1
            ordinary = fill(template(asked, policy.data, policy.is_holiday), at)
            assert alike.filled(alike.template(framed, days)).facts == ordinary.facts, hours
            assert (None if placed[1] == NEVER else from_micros(placed[1])) == ordinary.valid_until, hours
    assert answered
