"""What a code is good for, and how months are counted back: the pure parts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel import Handle
from service.requests.case import months_before
from service.requests.identity import GOOD_FOR, TRIES, Answer, Challenge, Code

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MARK = bytes(range(32))


@given(
    st.sampled_from([None, MARK]),
    st.sampled_from([MARK, bytes(32), MARK[:-1]]),
    st.integers(0, TRIES + 2),
    st.integers(-1, 1),
)
def test_a_code_is_taken_if_it_is_the_live_one_in_time_and_not_tried_too_often(
    live: bytes | None, shown: bytes, tries: int, seconds: int
):
    challenge = Challenge(
        request=UUID(int=1), handle=Handle(UUID(int=2)), since=NOON, mark=live, expires_at=NOON + GOOD_FOR, tries=tries
    )

    taken = challenge.takes(shown, NOON + GOOD_FOR + timedelta(seconds=seconds))
    assert taken is (live == shown and tries < TRIES and seconds < 0)


def test_where_no_code_lives_zeros_are_none():
    challenge = Challenge(request=UUID(int=1), handle=Handle(UUID(int=2)), since=NOON)

    assert not challenge.takes(bytes(32), NOON)


@pytest.mark.parametrize(
    ("months", "expected"),
    [(1, "2028-02-29"), (12, "2027-03-31"), (13, "2027-02-28"), (3, "2027-12-31"), (2, "2028-01-31")],
)
def test_months_are_counted_back_to_the_same_day_or_the_last_of_its_month(months: int, expected: str):
    assert f"{months_before(datetime(2028, 3, 31, 9, tzinfo=UTC), months):%F}" == expected


def test_what_is_shown_and_sent_does_not_show_itself():
    code = Code(
        tenant="acme",  # type: ignore[arg-type]
        request=UUID(int=1),
        channel="email",
        to="anna@mail.example",
        code="01234567",
        expires_at=NOON,
    )

    assert "anna" not in repr(code)
    assert "01234567" not in repr(code)
    assert "1980" not in repr(Answer(code="01234567", said={"birth_date": "1980-05-17"}))
