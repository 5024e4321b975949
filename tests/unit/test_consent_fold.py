"""What the fold promises, by example. Its properties are in test_consent_fold_properties.py."""

from datetime import timedelta
from uuid import UUID

import pytest

from service.consent import EMPTY, Act, Action, Channel, RecordChannel, State, StateUnreadable, fold, state_at
from service.consent.fold import decode, encode
from service.consent.signatures import acts_of
from tests.builders import DAY, NOON, VOCABULARY, a_record, a_vocabulary


def folded(*records, vocabulary=VOCABULARY) -> State:
    return fold(EMPTY, records, vocabulary)


def ids(acts: tuple[Act, ...]) -> list[UUID]:
    return [act.id for act in acts]


def test_nobody_who_said_nothing_has_a_state():
    assert folded() == EMPTY


def test_a_later_worthless_act_does_not_hide_an_earlier_good_one():
    good = a_record()
    worthless = a_record(method="pre_ticked_box", ts=NOON + DAY)

    assert ids(folded(good, worthless).acts) == [good.id, worthless.id]


def test_of_two_acts_that_say_the_same_the_later_stays():
    earlier, later = a_record(), a_record(ts=NOON + DAY)

    assert ids(folded(later, earlier).acts) == [later.id]


def test_free_text_tells_no_acts_apart():
    one = a_record(product="coffee machines", evidence="form 1")
    other = a_record(product="tea", evidence="form 2", ts=NOON + DAY)

    assert ids(folded(one, other).acts) == [other.id]


@pytest.mark.parametrize(
    "change",
    [
        {"brand": "B"},
        {"address": "a1"},
        {"evidence": None},
        {"evidence": "pewc_disclosure+signature"},
        {"notice_version": "v4"},
        {"scope": "unspecified"},
        {"named_controllers": ()},
        {"named_controllers": ("ShopCo",)},
        {"explicit": False},
        {"explicit": True},
        {"data_categories": ("health",)},
        {"optout_offered_at_collection": True},
        {"expires_at": NOON + 30 * DAY},
        {"incentive": "5% voucher"},
        {"subject_ref": "s-2"},
        {"hours_consent": "18:00-21:00"},
        {"method": "keyword_JOIN"},
        {"method": None},
        {"channel": (Channel.EMAIL, Channel.SMS)},
    ],
    ids=str,
)
def test_what_the_law_tells_apart_is_kept_apart(change):
    plain, other = a_record(), a_record(ts=NOON + DAY, **change)

    assert plain.id in ids(folded(plain, other).acts)


def test_the_order_in_which_names_are_listed_says_nothing():
    one = a_record(named_controllers=("A", "B"))
    other = a_record(named_controllers=("B", "A", "B"), ts=NOON + DAY)

    assert ids(folded(one, other).acts) == [other.id]


def test_an_older_act_that_outlives_the_newer_one_stays():
    lasting = a_record(expires_at=NOON + 90 * DAY)
    brief = a_record(ts=NOON + DAY, expires_at=NOON + 30 * DAY)
    outshone = a_record(ts=NOON - DAY, expires_at=NOON + 20 * DAY)
    state = folded(brief, outshone, lasting)

    assert ids(state.acts) == [lasting.id, brief.id]
    assert ids(state.spare) == [outshone.id]


def test_a_record_of_several_channels_is_one_act_on_each():
    record = a_record(channel=(Channel.SMS, Channel.EMAIL))
    acts = folded(record).acts

    assert [(act.signature.channel, act.signature.several) for act in acts] == [("email", True), ("sms", True)]
    assert set(ids(acts)) == {record.id}


@pytest.mark.parametrize("everywhere", [RecordChannel.ANY, RecordChannel.ALL])
def test_a_record_that_names_no_channel_is_one_act_on_any(everywhere):
    (act,) = folded(a_record(channel=everywhere, purpose=everywhere.value)).acts

    assert (act.signature.channel, act.signature.purpose, act.signature.several) == ("any", "any", False)


def test_an_act_takes_effect_when_it_truly_happened():
    (act,) = folded(a_record(original_ts=NOON - 400 * DAY, received_at=NOON)).acts

    assert act.at == NOON - 400 * DAY


def test_an_act_never_takes_effect_after_its_arrival():
    (act,) = folded(a_record(action=Action.OPT_OUT, ts=NOON + DAY, received_at=NOON)).acts

    assert act.at == NOON


def test_a_refusal_and_a_permission_of_one_instant_have_the_same_time():
    state = folded(a_record(), a_record(action=Action.OPT_OUT, method="unsubscribe_link"))

    assert len(state.acts) == 2
    assert {act.at for act in state.acts} == {NOON}


def test_missing_evidence_and_none_are_not_the_same():
    from msgspec import UNSET

    assert acts_of(a_record(evidence=UNSET), VOCABULARY)[0].signature.evidence is None
    assert acts_of(a_record(evidence=None), VOCABULARY)[0].signature.evidence == "null"


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        ("pewc", "pewc"),
        ("PEWC-2024", "pewc"),
        ("pewc_disclosure+signature", "pewc"),
        ("supewcase", "present"),
        ("form", "present"),
        ("", "present"),
    ],
)
def test_evidence_enters_as_its_kind(evidence, kind):
    assert acts_of(a_record(evidence=evidence), VOCABULARY)[0].signature.evidence == kind


@pytest.mark.parametrize(
    ("method", "kind"), [("web_form", "act"), ("keyword_STOP", "keyword"), ("carrier pigeon", "unlisted"), (None, None)]
)
def test_a_method_enters_as_its_class(method, kind):
    assert acts_of(a_record(method=method), VOCABULARY)[0].signature.method == kind


def test_the_oldest_permission_goes_when_there_are_too_many():
    records = [a_record(brand=f"brand {number}", ts=NOON + number * DAY) for number in range(5)]

    assert ids(folded(*records, vocabulary=a_vocabulary(permissions_kept=3)).acts) == [r.id for r in records[2:]]


def test_a_brand_that_asks_again_and_again_does_not_push_out_another():
    other = a_record(brand="B", expires_at=NOON + 400 * DAY)
    renewed = [
        a_record(brand="A", ts=NOON + number * DAY, expires_at=NOON + (100 + number) * DAY) for number in range(1, 50)
    ]

    assert ids(folded(other, *renewed).acts) == [other.id, renewed[-1].id]


def test_refusals_beyond_the_bound_become_one_that_reaches_everything():
    records = [
        a_record(action=Action.OPT_OUT, brand=f"brand {number}", ts=NOON + number * DAY, address="a1")
        for number in range(5)
    ]
    state = folded(*records, vocabulary=a_vocabulary(refusals_kept=3))
    (wide,) = [act for act in state.acts if act.signature.widened]

    assert [act.id for act in state.acts if not act.signature.widened] == [record.id for record in records[2:]]
    assert (wide.id, wide.at, wide.expires_at) == (records[1].id, records[1].ts, None)
    assert (wide.signature.channel, wide.signature.purpose) == ("any", "marketing")
    assert wide.signature.brand is None
    assert wide.signature.address is None


def test_of_the_attempts_the_latest_few_of_each_channel_are_counted():
    calls = [
        a_record(action=Action.CALL_ATTEMPT, channel=RecordChannel.PHONE, ts=NOON + timedelta(hours=number))
        for number in range(15)
    ]
    text = a_record(action=Action.CALL_ATTEMPT, channel=RecordChannel.SMS)
    state = folded(*calls, text)

    assert state.acts == ()
    assert set(ids(state.attempts)) == {text.id, *(call.id for call in calls[5:])}


def test_the_state_says_from_when_on_it_is_exact():
    assert folded(a_record(action=Action.OPT_OUT)).newest is None
    assert folded(a_record(), a_record(ts=NOON + DAY, action=Action.PURCHASE)).newest == NOON + DAY


def test_a_question_about_the_past_finds_the_permission_that_a_later_one_hides():
    earlier, later = a_record(), a_record(ts=NOON + 2 * DAY)

    assert ids(folded(earlier, later).acts) == [later.id]
    assert ids(state_at([earlier, later], VOCABULARY, NOON + DAY).acts) == [earlier.id, later.id]


def test_a_question_about_the_past_sees_the_refusals_that_came_later():
    permission, refusal = a_record(), a_record(action=Action.OPT_OUT, ts=NOON + 2 * DAY)

    assert ids(state_at([permission, refusal], VOCABULARY, NOON + DAY).acts) == [permission.id, refusal.id]


def test_a_question_about_the_past_counts_no_later_attempt():
    calls = [a_record(action=Action.CALL_ATTEMPT, ts=NOON + number * DAY) for number in range(15)]

    assert ids(state_at(calls, VOCABULARY, NOON + 2 * DAY).attempts) == [call.id for call in calls[:3]]


def test_a_state_survives_its_bytes():
    state = folded(
        a_record(channel=(Channel.SMS, Channel.EMAIL)), a_record(action=Action.OPT_OUT, named_controllers=())
    )

    assert decode(encode(state)) == state


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"acts":[{}]}', b"\xff", b'{"acts":null}'])
def test_damaged_bytes_are_no_state(damaged):
    with pytest.raises(StateUnreadable):
        decode(damaged)


def test_another_format_is_no_state():
    with pytest.raises(StateUnreadable):
        decode(encode(EMPTY), version=2)


def test_a_restriction_is_never_dropped_and_its_end_may_be():
    assert "restrict" in VOCABULARY.refusals
    assert "erased" in VOCABULARY.refusals
    assert "unrestrict" not in VOCABULARY.refusals
