"""What retention takes away turns no denial into a permit, under the law as it is."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, target
from hypothesis import strategies as st

from service.consent.keeping import expendable
from service.decisions import Memo
from service.kernel import Handle
from tests.policy.test_merge import stored, strangers
from tests.policy.test_monotony import Case, never_opens
from tests.situations import cases, instant_of, tried

ANNA = Handle(UUID(int=1))
GIVEN = ["opt_in", "opt_in", "opt_in_pending", "opt_in_sale"]


def kept(case: Case, ended_by: Any, memo: Memo) -> Case:
    """Return the case as it is after what had stopped counting by then is gone."""
    history = stored(case, ANNA)
    go, _ = expendable(history, ended_by, memo.policy.vocabulary)
    left = [record for record in history if record.id not in go]
    return case | {"records": [msgspec.to_builtins(record.statement) for record in left]}


@st.composite
def withdrawn(draw: st.DrawFn) -> Case:
    """A case in which consents were withdrawn, some of them to be given again."""
    case = draw(st.one_of(cases(), strangers().map(lambda sides: sides[0])))
    records = list(case["records"])
    for _ in range(draw(st.integers(1, 3))):
        action = draw(st.sampled_from(GIVEN))
        refusal = "opt_out_sale" if action == "opt_in_sale" else draw(st.sampled_from(["opt_out", "object"]))
        days = draw(st.integers(1, 900))
        base = {
            "channel": draw(st.sampled_from([case["channel"], "all", "email"])),
            "purpose": draw(st.sampled_from([case["purpose"], "all", "marketing"])),
            "ts": (instant_of(case) - timedelta(days=days)).isoformat(),
            "method": draw(st.sampled_from(["double_opt_in", "web_form", "pre_ticked_box"])),
        }
        more = draw(
            st.sampled_from(
                [{}, {"evidence": "form, pewc", "notice_version": "v3"}, {"explicit": True}, {"brand": "A"}]
            )
        )
        again = {"ts": (instant_of(case) - timedelta(days=draw(st.integers(0, days)))).isoformat()}
        at = draw(st.sampled_from(["all", base["channel"]]))
        records += [base | more | {"action": action}, base | again | {"action": refusal, "channel": at}]
    return case | {"records": sorted(records, key=lambda record: str(record["ts"]))}


@tried(1500)
@given(case=withdrawn() | cases(), data=st.data())
def test_what_goes_opens_no_door(memo: Memo, case: Case, data: st.DataObject):
    """Whatever had stopped counting by an instant, with a period of no length at all: the law has years."""
    ended_by = instant_of(case) - timedelta(days=data.draw(st.sampled_from([0, 0, 30, 400])))
    left = kept(case, ended_by, memo)
    target(float(len(case["records"]) - len(left["records"])))

    assert never_opens(case, left, memo), (case, left)
