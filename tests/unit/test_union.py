"""In which order three subjects are merged makes no difference, but where one agreed again to what they had refused."""

from datetime import timedelta
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.consent import EMPTY, State, StoredRecord, fold, joined
from service.kernel import Handle, SubjectId
from tests.builders import NOON, VOCABULARY, a_statement

A, B, C = (Handle(UUID(int=number)) for number in (1, 2, 3))
NAMES = [SubjectId(name) for name in ("a", "b", "c")]

statements = st.builds(
    lambda hours, action, channel, brand: a_statement(
        ts=NOON + timedelta(hours=hours), action=action, channel=channel, brand=brand
    ),
    st.integers(-9, 0),
    st.sampled_from(["opt_in", "opt_in", "purchase", "unrestrict", "opt_out", "object", "restrict", "erase_request"]),
    st.sampled_from(["email", "sms", "all"]),
    st.sampled_from([None, "x"]),
)
histories = st.lists(statements, max_size=5)


def stored(handle: Handle, said: list) -> list[StoredRecord]:
    return [
        StoredRecord(id=uuid5(handle, str(number)), handle=handle, received_at=NOON, statement=each)
        for number, each in enumerate(said)
    ]


def merge(ours: list[StoredRecord], theirs: list[StoredRecord], handle: Handle) -> list[StoredRecord]:
    more = joined(ours, theirs, handle=handle, names=NAMES, objected=False, at=NOON, vocabulary=VOCABULARY)
    return [*ours, *more]


def amounts_to(history: list[StoredRecord]) -> tuple:
    """Return what a history says, whichever records say it."""
    state: State = fold(EMPTY, history, VOCABULARY)
    return {replace(act, id=UUID(int=0)) for act in state.acts}, state.newest


def agrees_again(said: list) -> bool:
    refused = [each.ts for each in said if each.action in VOCABULARY.refusals]
    return any(each.ts > min(refused) for each in said if each.action not in VOCABULARY.refusals) if refused else False


@given(*[histories.filter(lambda said: not agrees_again(said))] * 3)
def test_the_order_of_merges_makes_no_difference_where_permissions_have_evidence(a, b, c):
    a, b, c = stored(A, a), stored(B, b), stored(C, c)

    first_b = amounts_to(merge(merge(a, b, A), c, A))
    assert amounts_to(merge(merge(a, c, A), b, A)) == first_b
    assert amounts_to(merge(a, merge(b, c, B), A)) == first_b
    assert amounts_to(merge(a, merge(c, b, C), A)) == first_b


@given(histories, histories, histories)
def test_every_order_of_merges_keeps_the_same_permissions_and_refuses_the_same(a, b, c):
    """Where somebody agreed again, only how late a refusal is repeated may differ."""
    a, b, c = stored(A, a), stored(B, b), stored(C, c)
    orders = [merge(merge(a, b, A), c, A), merge(merge(a, c, A), b, A), merge(a, merge(b, c, B), A)]

    permitted, refused = zip(*(parts(order) for order in orders), strict=True)
    assert all(each == permitted[0] for each in permitted)
    assert all(each == refused[0] for each in refused)


def parts(history: list[StoredRecord]) -> tuple[set, set]:
    """Return the permissions that a history amounts to, and the refusals without their times."""
    acts, _ = amounts_to(history)
    refused = {act.signature for act in acts if act.signature.action in VOCABULARY.refusals}
    return {act for act in acts if act.signature not in refused}, refused


@given(histories, histories)
def test_a_merge_that_is_done_again_adds_nothing(a, b):
    ours, theirs = stored(A, a), stored(B, b)
    once = merge(ours, theirs, A)

    assert amounts_to(merge(once, theirs, A)) == amounts_to(once)
