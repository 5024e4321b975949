"""Facts tell months by the periods of the laws of their places: no law of a place measures by any other."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from service.decisions import Policy, PolicyEngine, measured, month_edges
from service.decisions.artefacts import policy_of
from service.decisions.clocks import after_months
from service.decisions.facts import fill
from service.decisions.wasm import WasmPolicyEngine
from tests.situations import NOON, table, template_of, words

POLICIES = Path(__file__).parents[2] / "policies"
BUILD = POLICIES / "build"
MEASURES: dict[str, dict[str, list[str]]] = table("measures")["months"]
PERIODS = {
    "stale": {"other": 20, "DE": 22, "FR": 30},
    "soft_opt_in": {"IE": 9},
    "ebr": {"purchase": 16, "inquiry": 2},
    "casl": {"purchase": 26, "support_given": 24, "inquiry": 7},
    "dncl": {"purchase": 14, "inquiry": 4},
    "spain": 18,
    "reask": 12,
}
"""No two alike, so that none can stand in for another."""
EDGES = (0, 2, 4, 7, 9, 14, 16, 18, 20, 22, 24, 26, 30)
PLACES = words("AT DE FR IE ES IT NL NO PL SE GB CH CA CA-QC BR IN US-CA US-TX ZZ AU")
"""One with each set of regimes, and some more."""
ACTIONS = words("opt_in opt_in_sale parental_consent purchase support_given inquiry free_account")
RICH = dict.fromkeys(
    words(
        """
        similar_product same_seller optout_in_message sender_identified postal_address_present lia_on_file
        presumed_interest_facts informed_at_collection related_to_profession relevant_to_role
        """
    ),
    True,
)
"""What relations are relied on with."""


@pytest.fixture(scope="module")
def distinct(policy: Policy) -> Iterator[PolicyEngine]:
    """The law with other periods."""
    data = json.loads((BUILD / "data.json").read_text())
    data["volens"]["periods"] = PERIODS
    document = json.dumps(data).encode()
    law = policy_of(policy.revision, document, (BUILD / "rules.json").read_bytes())
    today = replace(law.data.bands, in_force=(NOON.date(),))  # no day of a law tells acts apart
    law = replace(law, data=replace(law.data, bands=today))
    engine = WasmPolicyEngine((BUILD / "policy.wasm").read_bytes(), document, law, limit=1.0)
    yield engine
    engine.close()


def ago(months: int) -> str:
    """Return an instant that is further back than so many months, and not further than any more."""
    day = NOON.date() - timedelta(days=1)
    while after_months(day, months) >= NOON.date():
        day -= timedelta(days=1)
    return f"{day}T10:00:00+00:00"


AGO = {months: ago(months) for months in EDGES}
LONG_AGO = ago(100)
AGED = ("act", "last_interaction_at", "last_sent_at")


def situations(place: str, more: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield situations with one thing of some age in each, and an old opt-in."""
    for channel, action, aged, months in product(("email", "phone"), ACTIONS, AGED, EDGES):
        record = {
            "ts": AGO[months] if aged == "act" else LONG_AGO,
            "action": action,
            "channel": channel,
            "purpose": "marketing",
            "method": "double_opt_in",
            "evidence": "form",
            "notice_version": "v3",
            "optout_offered_at_collection": True,
            "indirect_remuneration": True,
        }
        asked = record | {"action": "opt_in", "ts": LONG_AGO}
        yield (
            f"{channel} {action} {aged} {months}",
            {
                "jurisdiction": place,
                "local_time_zone": "Europe/Berlin",
                "channel": channel,
                "purpose": "marketing",
                "at": NOON.isoformat(),
                "subject": {"is_customer": True, "age": 15 if action == "parental_consent" else 40}
                | ({} if aged == "act" else {aged: AGO[months]}),
                "records": [record] if action in ("opt_in", "parental_consent") else [record, asked],
                "signals": {"dncl_listed": True} if place.startswith("CA") else {},
                "context": RICH | ({"sender_is_charity": True} if action == "support_given" else {}) | more,
            },
        )


@pytest.mark.parametrize(
    ("place", "more"),
    [*((place, {}) for place in PLACES), ("CA", {"controller_established": "FR"}), ("AU", {"recipient": "PartnerCo"})],
)
def test_facts_that_are_alike_are_judged_alike_however_finely_they_are_told(
    distinct: PolicyEngine, place: str, more: dict[str, Any]
):
    finest = replace(
        distinct.policy,
        data=replace(
            distinct.policy.data, measures=None, bands=replace(distinct.policy.data.bands, months=tuple(range(1, 41)))
        ),
    )
    verdicts: dict[bytes, dict[Any, str]] = defaultdict(dict)
    for name, case in situations(place, more):
        told = fill(template_of(case, distinct.policy), NOON).facts
        verdict = asyncio.run(distinct.evaluate(fill(template_of(case, finest), NOON).facts))
        verdicts[told].setdefault(verdict, name)

    assert [list(different.values()) for different in verdicts.values() if len(different) > 1] == []


def test_every_period_that_a_regime_names_is_told_where_it_rules():
    waits = {"/reask"}
    for regime in {regime for place in table("places").values() for regime in place["regimes"]}:
        named = {
            "/" + match.replace(".", "/")
            for file in (POLICIES / "volens" / regime).glob("*.rego")
            if not file.name.endswith("_test.rego")
            for match in re.findall(r"data\.volens\.periods\.([A-Za-z_.]+)", file.read_text())
        }
        # `stale` by a variable asks only whether a place has a period of its own.
        told = MEASURES.get(regime, {}).keys()
        assert [each for each in named - waits - {"/stale"} if not any(one.startswith(each) for one in told)] == []


def test_every_measure_has_its_period_and_its_spans(policy: Policy):
    regimes = {regime for place in policy.data.places.values() for regime in place["regimes"]}
    spans = {"interaction", "sent", *policy.data.bands.spans["months_past"]}

    assert MEASURES.keys() <= regimes
    for place in policy.data.places:
        for each in measured(policy.data, place):
            assert each.months in policy.data.bands.months
            assert each.span in spans
    for regime, periods in MEASURES.items():
        place = next(code for code, entry in policy.data.places.items() if regime in entry["regimes"])
        assert periods.keys() <= {each.pointer for each in measured(policy.data, place)}


def test_places_together_are_told_by_the_months_of_each(policy: Policy):
    edges = month_edges(policy.data, ("AT", "FR"))

    assert edges["interaction"] == (24, 36)
    assert "sent" not in edges
    assert month_edges(policy.data, ("AT", "FR"), 18)["interaction"] == (18, 24, 36)
    assert month_edges(policy.data, ("CA-ON",)) == month_edges(policy.data, ("CA",))
    assert month_edges(policy.data, ("AU",)) == month_edges(policy.data, ("ZZ",))
    before = replace(policy.data, measures=None)
    assert set(month_edges(before, ("AT",)).values()) == {policy.data.bands.months}
