from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decisions.bands import ages, declared_ages, floor, months_past, months_waited
from service.decisions.clocks import (
    after_months,
    birthday,
    midnight,
    minute_of,
    next_minute_edge,
    waited_months,
    whole_years,
)

DAY = timedelta(days=1)
EVERY_MONTH = tuple(range(1, 200))
days = st.dates(date(1930, 1, 1), date(2080, 1, 1))
zones = st.sampled_from(
    [
        "Europe/Berlin",
        "America/Los_Angeles",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Santiago",
    ]
).map(ZoneInfo)
instants = st.datetimes(datetime(2012, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
edges = st.lists(st.integers(0, 1439), max_size=6, unique=True).map(sorted).map(tuple)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 11, 20), 24, date(2028, 11, 20)),
    ],
)
def test_a_month_later_is_the_same_numbered_day_or_the_last(day: date, months: int, expected: date):
    assert after_months(day, months) == expected


def test_a_wait_to_a_missing_day_ends_on_the_first_of_the_next_month():
    assert waited_months(date(2024, 2, 29), 12) == date(2025, 3, 1)
    assert waited_months(date(2025, 11, 20), 12) == date(2026, 11, 20)


def test_who_was_born_on_29_february_turns_older_on_1_march():
    assert birthday(date(2012, 2, 29), 14) == date(2026, 3, 1)
    assert birthday(date(2012, 2, 29), 16) == date(2028, 2, 29)


def test_the_same_numbered_day_is_still_inside():
    ladder = months_past(date(2024, 11, 20), (12, 24))

    assert ladder.on(date(2026, 11, 20)) == (12, date(2026, 11, 21))
    assert ladder.on(date(2026, 11, 21)) == (24, None)


def test_a_wait_is_over_on_its_last_day():
    ladder = months_waited(date(2025, 11, 20), (12,))

    assert ladder.on(date(2026, 11, 19)) == (0, date(2026, 11, 20))
    assert ladder.on(date(2026, 11, 20)) == (12, None)


@given(born=days, today=days)
def test_an_age_in_bands_is_the_age_in_whole_years(born: date, today: date):
    exact, _ = ages(born, tuple(range(1, 160))).on(today)

    assert exact == whole_years(born, today)


@given(age=st.integers(0, 100), declared=days, today=days)
def test_a_declared_age_moves_by_the_whole_years_between(age: int, declared: date, today: date):
    exact, _ = declared_ages(age, declared, tuple(range(1, 300))).on(today)

    if today >= declared:
        assert exact == age + whole_years(declared, today)
    else:
        assert exact == max(age - whole_years(today, declared), 0)


@pytest.mark.parametrize(
    ("declared", "younger_until"),
    [
        pytest.param(date(2026, 6, 1), date(2025, 6, 1), id="a whole year before it is a year less"),
        pytest.param(date(2024, 2, 29), date(2023, 2, 28), id="declared on 29 February"),
    ],
)
def test_a_declared_age_was_a_year_less_to_the_end_of_the_same_day_a_year_before(declared: date, younger_until: date):
    ladder = declared_ages(14, declared, (13, 14))

    assert ladder.on(younger_until) == (13, younger_until + DAY)
    assert ladder.on(younger_until + DAY) == (14, None)


@given(day=days, today=days, chosen=st.sets(st.integers(1, 199), min_size=1))
def test_a_band_is_the_exact_number_cut_to_its_edges(day: date, today: date, chosen: set[int]):
    coarse = tuple(sorted(chosen))

    for ladder in (months_past, months_waited, ages):
        exact, _ = ladder(day, EVERY_MONTH).on(today)
        band, until = ladder(day, coarse).on(today)
        assert band == floor(coarse, exact)
        assert until is None or ladder(day, coarse).on(until - DAY)[0] == band < ladder(day, coarse).on(until)[0]


@given(at=instants, zone=zones, edges=edges, part=st.floats(0, 1, exclude_max=True))
def test_between_two_edges_the_local_day_and_minute_band_stand_still(
    at: datetime, zone: ZoneInfo, edges: tuple[int, ...], part: float
):
    until = next_minute_edge(at, zone, edges)

    assert until > at
    assert reading(min(at + (until - at) * part, until - timedelta(microseconds=1)), zone, edges) == reading(
        at, zone, edges
    )


@pytest.mark.parametrize(
    ("at", "edge"),
    [
        pytest.param(
            "2026-10-25T00:40:00+00:00", "2026-10-25T01:00:00+00:00", id="the hour that comes twice, first time"
        ),
        pytest.param(
            "2026-10-25T01:10:00+00:00", "2026-10-25T01:30:00+00:00", id="the hour that comes twice, second time"
        ),
        pytest.param(
            "2026-03-29T00:10:00+00:00", "2026-03-29T01:00:00+00:00", id="an edge in the hour that is skipped"
        ),
    ],
)
def test_an_edge_is_found_where_the_clocks_are_changed(at: str, edge: str):
    found = next_minute_edge(datetime.fromisoformat(at), ZoneInfo("Europe/Berlin"), (150,))

    assert found == datetime.fromisoformat(edge)


def test_a_day_that_has_no_midnight_begins_when_it_begins():
    assert midnight(date(2026, 9, 6), ZoneInfo("America/Santiago")) == datetime(2026, 9, 6, 4, 0, tzinfo=UTC)


def reading(at: datetime, zone: ZoneInfo, edges: tuple[int, ...]) -> tuple[date, int]:
    local = at.astimezone(zone)
    return local.date(), sum(edge <= minute_of(local) for edge in edges)
