"""A merge of two subjects opens no door that either of them had closed, under the law as it is."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from service.consent import Statement, StoredRecord, agreed_at, joined
from service.decisions import Memo
from service.kernel import Handle, SubjectId
from service.subjects import Flags, Known, Signals, SubjectFacts, unite_facts, unite_flags
from tests.policy.test_monotony import permitted, refusals, without
from tests.situations import NOON, ZONES, cases, instant_of, tried

Case = dict[str, Any]
OURS, THEIRS = Handle(UUID(int=1)), Handle(UUID(int=2))
UNDATED = ("restricted", "objected", "suppressed", "drop_listed")


@st.composite
def halves(draw: st.DrawFn) -> tuple[Case, Case]:
    """Two people who would be one: each has some of the acts, and a refusal or flag of their own."""
    whole = draw(cases())
    sides: list[Case] = [whole | {"records": [], "flags": {}, "signals": whole["signals"]} for _ in range(2)]
    for record in whole["records"]:
        for side in draw(st.sampled_from([sides[:1], sides[1:], sides])):
            side["records"] = [*side["records"], record]
    for side in sides:
        if draw(st.booleans()):
            side["records"] = [*side["records"], draw(refusals(whole))]
        if draw(st.integers(0, 3)) == 0:
            flag = draw(st.sampled_from(UNDATED))
            side["flags"] = {flag: True}
            if flag in ("restricted", "suppressed") and draw(st.booleans()):
                dated = instant_of(whole) - timedelta(days=draw(st.integers(0, 900)))
                side["flags"] |= {f"{flag}_at": dated.isoformat()}
    return sides[0], sides[1]


PLACES = ["DE", "FR", "GB", "CH", "US-CA", "US-TX", "CA-ON", "BR", "IN"]
ASKED = [
    ("email", "marketing"),
    ("sms", "marketing"),
    ("phone", "marketing"),
    ("ads", "sale_share"),
    ("web", "profiling"),
]
ACTS = [
    "opt_in", "opt_in", "opt_in", "opt_in_sale", "purchase", "unrestrict", "consent_during_restriction", "opt_out",
    "object", "restrict", "erase_request", "opt_out_sale", "limit", "complaint", "declined_opt_in", "refused_in_call",
]  # fmt: skip
CONTEXT = {
    "optout_in_message": True, "sender_identified": True, "postal_address_present": True, "notice_given": True,
    "informed_at_collection": True, "notice_at_collection": True, "third_party_contract": True, "lia_on_file": True,
    "similar_product": True, "same_seller": True, "notice_right_to_limit": True, "purpose_disclosed": True,
}  # fmt: skip


@st.composite
def acts(draw: st.DrawFn, channel: str, purpose: str) -> dict[str, Any]:
    action = draw(st.sampled_from(ACTS))
    act = {
        "ts": (NOON - timedelta(days=draw(st.integers(0, 20)))).isoformat(),
        "action": action,
        "channel": draw(st.sampled_from([channel, channel, "all", "email", "sms"])),
        "purpose": draw(st.sampled_from([purpose, purpose, "all", "profiling"])),
        "method": draw(st.sampled_from(["double_opt_in", "web_form"])) if "opt_out" not in action else "keyword_stop",
        "notice_version": "v3",
        "informed_subject": True,
    }
    if draw(st.integers(0, 3)):
        act["evidence"] = "form, wording, pewc"
    return act


@st.composite
def strangers(draw: st.DrawFn) -> tuple[Case, Case]:
    """Two people with short histories in which much is agreed to and refused, where a permit is not rare."""
    place = draw(st.sampled_from(PLACES))
    channel, purpose = draw(st.sampled_from(ASKED))
    about = {
        "jurisdiction": place,
        "local_time_zone": ZONES.get(place) or "Europe/Berlin",
        "channel": channel,
        "purpose": purpose,
        "at": NOON.replace(hour=18).isoformat(),
        "subject": {"age": 40, "is_customer": True, "b2b": False},
        "context": CONTEXT,
        "signals": {},
    }
    flags = st.sampled_from([{}, {}, {}, {"objected": True}, {"restricted": True}, {"suppressed": True}])
    dates = st.integers(0, 20).map(lambda days: (NOON - timedelta(days=days)).isoformat())
    sides = []
    for _ in range(2):
        flagged = draw(flags)
        for flag in flagged.keys() & {"restricted", "suppressed"}:
            if draw(st.booleans()):
                flagged = flagged | {f"{flag}_at": draw(dates)}
        signals = {"gpc": True} | ({"gpc_first_seen": draw(dates)} if draw(st.booleans()) else {})
        sides.append(
            about
            | {
                "records": draw(st.lists(acts(channel, purpose), max_size=4)),
                "flags": flagged,
                "signals": signals if draw(st.integers(0, 7)) == 0 else {},
            }
        )
    return sides[0], sides[1]


def stored(case: Case, handle: Handle) -> list[StoredRecord]:
    statements = [msgspec.convert(record, Statement) for record in case["records"]]
    return [
        StoredRecord(id=uuid5(handle, str(number)), handle=handle, received_at=said.happened_at, statement=said)
        for number, said in enumerate(statements)
    ]


def merged(ours: Case, theirs: Case, memo: Memo) -> Case:
    vocabulary, at = memo.policy.vocabulary, instant_of(ours)
    mine, others = stored(ours, OURS), stored(theirs, THEIRS)
    known = [
        Known(
            facts=SubjectFacts(signals=msgspec.convert(case["signals"], Signals)),
            flags=msgspec.convert(case["flags"], Flags),
            agreed_at=agreed_at(records, vocabulary),
        )
        for case, records in ((ours, mine), (theirs, others))
    ]
    more = joined(
        mine,
        others,
        handle=OURS,
        names=[SubjectId("ours"), SubjectId("theirs")],
        objected=any(each.flags.objected for each in known),
        at=at,
        vocabulary=vocabulary,
    )
    return ours | {
        "records": [msgspec.to_builtins(record.statement) for record in [*mine, *more]],
        "flags": msgspec.to_builtins(unite_flags(*known)),
        "signals": msgspec.to_builtins(unite_facts(*known, None, at).signals),
    }


def unrefused(case: Case, memo: Memo) -> Case:
    """Return the case as it would be had they refused nothing."""
    records = [record for record in case["records"] if record["action"] not in memo.policy.vocabulary.refusals]
    return case | {"records": records, "flags": {}, "signals": without(case["signals"], "gpc", "gpc_first_seen")}


@tried(2000)
@given(sides=strangers() | halves())
def test_what_either_side_refused_stays_refused(memo: Memo, sides: tuple[Case, Case]):
    """But for what more is told of a refusal: see the monotony of refusals."""
    ours, theirs = sides
    case = merged(ours, theirs, memo)
    assume(case["purpose"] != "optout_confirmation")
    for side in sides:
        if not permitted(side, memo) and permitted(unrefused(side, memo), memo):
            assert not permitted(case, memo), case


def test_a_flagged_objection_goes_on_to_hold_beside_a_narrow_one_of_the_other_side(memo: Memo):
    """Where acts tell more of an objection they govern in place of the flag."""
    agreed = {"ts": (NOON - timedelta(days=2)).isoformat(), "channel": "email", "purpose": "marketing"}
    agreed |= {"action": "opt_in", "method": "double_opt_in", "evidence": "form", "notice_version": "v3"}
    narrow = {
        "ts": (NOON - timedelta(days=3)).isoformat(),
        "channel": "all",
        "purpose": "marketing",
        "action": "object",
    }
    case = {
        "jurisdiction": "DE",
        "channel": "email",
        "purpose": "marketing",
        "at": NOON.isoformat(),
        "context": CONTEXT,
    }
    case |= {"subject": {"age": 40}, "signals": {}, "local_time_zone": "Europe/Berlin"}
    ours, theirs = (
        case | {"records": [agreed, narrow], "flags": {}},
        case | {"records": [], "flags": {"objected": True}},
    )
    ours["records"].sort(key=lambda record: record["ts"])

    assert permitted(ours, memo)
    assert not permitted(merged(ours, theirs, memo), memo)
    assert not permitted(merged(theirs, ours, memo), memo)
