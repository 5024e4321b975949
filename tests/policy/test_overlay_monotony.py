"""A tenant's own policy can only forbid: over generated situations, and over those that the law is tested by."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import event, given
from hypothesis import strategies as st

from service.decisions import NO_OVERLAY, Case, Memo, Overlay, Policy
from service.decisions.cases import ABOUT
from service.decisions.facts import fill, template
from service.decisions.simulation import described
from tests.situations import CHANNELS, NOON, PURPOSES, cases, instant_of, tried

POLICIES = Path(__file__).parents[2] / "policies"
STRICTER = json.loads((POLICIES / "data/stricter.json").read_text())["rules"]
BANDS = json.loads((POLICIES / "data/bands.json").read_text())
TESTED = [
    {name: value for name, value in json.loads(line).items() if name not in ABOUT}
    for file in sorted((Path(__file__).parent / "cases").glob("*.jsonl"))
    for line in file.read_text().splitlines()
]

situations = st.one_of(cases(), st.sampled_from(TESTED))
minutes = st.sampled_from(["00:00", "08:00", "09:00", "11:59", "12:00", "13:00", "18:00", "21:00", "24:00"])
spans = st.lists(st.lists(minutes, min_size=2, max_size=2, unique=True).map(sorted), max_size=2)
hours = st.fixed_dictionaries(
    {
        "channels": st.lists(st.sampled_from(BANDS["clock_channels"]), min_size=1, unique=True),
        "days": st.dictionaries(st.sampled_from("1234567"), spans),
        "on_holidays": st.booleans(),
    }
)
refusals = st.one_of(
    st.fixed_dictionaries({"channel": st.sampled_from(CHANNELS)}),
    st.fixed_dictionaries({"purpose": st.sampled_from(PURPOSES)}),
    st.fixed_dictionaries({"channel": st.sampled_from(CHANNELS), "purpose": st.sampled_from(PURPOSES)}),
)
parts = st.one_of(
    st.tuples(st.just("denied"), refusals),
    st.tuples(st.just("hours"), hours),
    st.tuples(st.just("stale_months"), st.sampled_from(BANDS["months"])),
    st.tuples(st.just("double_opt_in"), st.booleans()),
    st.tuples(st.just("refused_bases"), st.sampled_from(["soft_opt_in", "legitimate_interest"])),
    st.tuples(st.just("h24"), st.integers(0, BANDS["attempts"]["h24"])),
    st.tuples(st.just("d30"), st.integers(0, BANDS["attempts"]["d30"])),
    st.tuples(st.just("early"), st.sampled_from(STRICTER)),
)


def an_overlay(said: list[tuple[str, Any]]) -> Overlay:
    """Return the overlay that says all these parts; of two that can't stand together, the stricter or the first."""
    whole: dict[str, Any] = {}
    attempts: dict[str, int] = {}
    for name, value in said:
        match name:
            case "denied" | "refused_bases" | "early":
                whole[name] = [*(each for each in whole.get(name, ()) if each != value), value]
            case "stale_months":
                whole[name] = min(value, whole.get(name, value))
            case "h24" | "d30":
                attempts[name] = min(value, attempts.get(name, value))
            case "double_opt_in":
                whole[name] = value or whole.get(name, value)
            case _:
                whole.setdefault(name, value)
    return msgspec.convert(whole | ({"attempts": attempts} if attempts else {}), Overlay)


def permitted(case: Mapping[str, Any], memo: Memo, overlay: Overlay) -> bool:
    policy: Policy = memo.policy
    situation = described(msgspec.convert(case, Case), policy, None, NOON, overlay).situation
    facts = fill(template(situation, policy.data, policy.is_holiday), instant_of(case)).facts
    return asyncio.run(memo.judge(facts)).verdict.allow


@tried(500)
@given(case=situations, said=st.lists(parts, max_size=5))
def test_what_the_law_denies_is_denied_under_any_overlay(memo: Memo, case: dict[str, Any], said: list[tuple[str, Any]]):
    lawful = permitted(case, memo, NO_OVERLAY)
    event("the law permits" if lawful else "the law denies")

    assert lawful or not permitted(case, memo, an_overlay(said))


@tried(500)
@given(case=situations, said=st.lists(parts, max_size=4), more=parts)
def test_a_stricter_overlay_never_turns_a_denial_into_a_permit(
    memo: Memo, case: dict[str, Any], said: list[tuple[str, Any]], more: tuple[str, Any]
):
    before = permitted(case, memo, an_overlay(said))
    event("permitted before" if before else "denied before")

    assert before or not permitted(case, memo, an_overlay([*said, more]))


def test_an_overlay_refuses_all_that_the_law_permits_if_it_says_so(memo: Memo):
    """Else the two above would hold of an overlay that nobody reads."""
    nothing = an_overlay([("denied", {"channel": channel}) for channel in CHANNELS])
    allowed = [case for case in TESTED if permitted(case, memo, NO_OVERLAY)]

    assert len(allowed) > 50
    assert [case for case in allowed if permitted(case, memo, nothing)] == []
