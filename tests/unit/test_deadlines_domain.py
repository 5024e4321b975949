"""The arithmetic of RULES section 10: what holds for every law, every day and every calendar."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.requests import Deadlines, Event, Period, Periods, Receipt, Step, deadlines
from service.requests.domain import NotExtendable, NotInForce, ReceiptOutOfRange
from service.requests.periods import ContradictoryPeriods, Rounding, Unit, UnknownLaw, UnknownRequest, Whose

ROWS = msgspec.json.decode(
    (Path(__file__).parents[2] / "policies/data/deadlines.json").read_bytes(), type=tuple[Period, ...]
)
PERIODS = Periods(ROWS)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 1, 10, tzinfo=UTC)
ACCESS = PERIODS.of("UK_GDPR", "access")

# What the law says, named here and not read from the table: a row that is wrong must fail and not drop out.
STATES = [
    "VCDPA", "CPA_CO", "CTDPA", "UCPA_UT", "TDPSA", "OCPA_OR", "MCDPA_MT", "ICDPA_IA", "DPDPA_DE",
    "NDPA_NE", "NHPA_NH", "NJDPA_NJ", "TIPA_TN", "MCDPA_MN", "MODPA", "ICDPA_IN", "KCDPA_KY", "RIDTPPA_RI",
]  # fmt: skip
SINCE = {
    "UK_COMPLAINT": date(2026, 6, 19),
    "CCPA_ADMT": date(2027, 1, 1),
    "DELETE_ACT": date(2026, 8, 1),
    "TCPA": date(2025, 4, 11),
    "MODPA": date(2025, 10, 1),
    "ICDPA_IN": date(2026, 1, 1),
    "KCDPA_KY": date(2026, 1, 1),
    "RIDTPPA_RI": date(2026, 1, 1),
    "DPDP_IN": date(2027, 5, 13),
}
OF_EUROPE = {"GDPR", "UK_GDPR", "UK_COMPLAINT"}
"""Laws under which the last day moves to a working day of the controller's place."""
REFUSALS = {
    "objection", "direct_marketing_objection_effect", "opt_out", "opt_out_sale", "opt_out_sharing",
    "opt_out_targeted_ads", "opt_out_profiling", "gpc_signal", "limit", "adm_opt_out", "unsubscribe", "revocation",
    "dnc_request", "one_click_unsubscribe", "consent_revocation", "refusal_in_call",
}  # fmt: skip
"""Requests by which something stops at once; to be asked again about one of them (`CCPA_REASK`) is none."""


def stops(law: str, request: str) -> bool:
    return request in REFUSALS and law != "CCPA_REASK"


every = st.sampled_from(ROWS)
rolling = st.sampled_from([row for row in ROWS if row.law in OF_EUROPE])
extendable = st.sampled_from([row for row in ROWS if row.extension])
# From a day on which every law of the table is in force.
instants = st.datetimes(datetime(2027, 6, 1), datetime(2036, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(
    ["Europe/Berlin", "Europe/London", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
).map(ZoneInfo)
calendars = st.frozensets(st.dates(date(2027, 6, 1), date(2036, 12, 31)), max_size=60)
spans = st.integers(-2, 120).map(lambda days: days * DAY) | st.integers(0, 10**7).map(lambda s: timedelta(seconds=s))
steps = st.lists(st.tuples(st.sampled_from(Step), spans), max_size=6, unique_by=lambda step: step[1])


def received(at: datetime, zone: ZoneInfo, *, extended: bool = False, events: Iterable[tuple[Step, timedelta]] = ()):
    happened = tuple(Event(type=step, at=at + span) for step, span in events)
    return Receipt(received_at=at, zone=zone, extended=extended, events=happened)


def dates(found: Deadlines) -> dict[str, date]:
    return {name: value for name, value in msgspec.structs.asdict(found).items() if isinstance(value, date)}


def works(day: date, calendar: frozenset[date]) -> bool:
    return day.weekday() < 5 and day not in calendar


@given(every, instants, zones, calendars, steps)
def test_nothing_is_due_before_it_was_received(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]]
):
    found = deadlines(period, received(at, zone, events=events), calendar.__contains__)

    assert all(day >= at.astimezone(zone).date() for day in dates(found).values())
    assert dates(found) or found.suspended


@given(every, instants, st.timedeltas(timedelta(), timedelta(days=400)), zones, calendars)
def test_what_comes_later_is_never_due_earlier(
    period: Period, at: datetime, later: timedelta, zone: ZoneInfo, calendar: frozenset[date]
):
    extended = period.extension is not None
    first = dates(deadlines(period, received(at, zone, extended=extended), calendar.__contains__))
    second = dates(deadlines(period, received(at + later, zone, extended=extended), calendar.__contains__))

    assert first.keys() == second.keys()
    assert all(first[name] <= second[name] for name in first)


@given(extendable, instants, zones, calendars, steps)
def test_an_extension_never_shortens(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]]
):
    short = deadlines(period, received(at, zone, events=events), calendar.__contains__)
    long = deadlines(period, received(at, zone, extended=True, events=events), calendar.__contains__)

    assert short.due_on == long.due_on == long.extension_notice_by
    assert (short.extended_due_on, short.extension_notice_by) == (None, None)
    if long.extended_due_on is None:
        assert long.suspended
    else:
        assert short.due_on is not None
        assert long.extended_due_on > short.due_on


@given(every, instants, zones, calendars, steps)
def test_asking_the_person_never_shortens(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]]
):
    extended = period.extension is not None
    plain = dates(deadlines(period, received(at, zone, extended=extended), calendar.__contains__))
    asked = deadlines(period, received(at, zone, extended=extended, events=events), calendar.__contains__)

    for name, day in dates(asked).items():
        assert day >= plain[name]
    assert asked.suspended == (dates(asked).keys() != plain.keys())


@given(every, instants, zones, calendars, steps)
def test_only_the_law_of_the_united_kingdom_waits_for_the_person(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]]
):
    assume(period.law != "UK_GDPR")

    asked = deadlines(period, received(at, zone, events=events), calendar.__contains__)

    assert asked == deadlines(period, received(at, zone), calendar.__contains__)


@given(instants, zones, calendars, steps, st.data())
def test_the_order_in_which_events_are_told_changes_nothing(
    at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]], data: st.DataObject
):
    shuffled = data.draw(st.permutations(events))

    assert deadlines(ACCESS, received(at, zone, events=shuffled), calendar.__contains__) == deadlines(
        ACCESS, received(at, zone, events=events), calendar.__contains__
    )


@given(rolling, instants, zones, calendars, steps)
def test_the_last_day_is_a_working_day_in_europe(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]]
):
    found = deadlines(
        period, received(at, zone, extended=period.extension is not None, events=events), calendar.__contains__
    )

    last = {name: day for name, day in dates(found).items() if name != "stop_on"}
    assert all(works(day, calendar) for day in last.values())


@given(rolling, instants, zones, calendars)
def test_the_last_day_moves_over_closed_days_only(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date]
):
    unrolled = msgspec.structs.replace(period, rounding=Rounding.NONE)
    name = period.gives[0].value
    nominal = dates(deadlines(unrolled, received(at, zone), calendar.__contains__))[name]
    last = dates(deadlines(period, received(at, zone), calendar.__contains__))[name]

    assert not any(works(nominal + n * DAY, calendar) for n in range((last - nominal).days))


@given(st.sampled_from([row for row in ROWS if row.unit is Unit.DAYS]), instants, zones, calendars)
def test_calendar_days_are_counted_from_the_day_after_receipt(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date]
):
    assume(period.rounding is Rounding.NONE)
    found = dates(deadlines(period, received(at, zone), calendar.__contains__))

    assert {found[clock] for clock in period.gives} == {at.astimezone(zone).date() + period.length * DAY}


@given(instants, zones, calendars)
def test_california_never_rolls(at: datetime, zone: ZoneInfo, calendar: frozenset[date]):
    found = deadlines(PERIODS.of("CCPA", "know"), received(at, zone, extended=True), calendar.__contains__)

    day = at.astimezone(zone).date()
    assert (found.due_on, found.extended_due_on) == (day + 45 * DAY, day + 90 * DAY)


@given(st.sampled_from([row for row in ROWS if row.unit is Unit.BUSINESS_DAYS]), instants, zones, calendars)
def test_business_days_are_neither_weekends_nor_holidays(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date]
):
    found = deadlines(period, received(at, zone), calendar.__contains__)
    day = at.astimezone(zone).date()

    assert found.due_on is not None
    assert works(found.due_on, calendar)
    counted = [day + n * DAY for n in range(1, (found.due_on - day).days + 1)]
    assert sum(works(one, calendar) for one in counted) == period.length


@given(st.sampled_from([row for row in ROWS if row.acknowledgement]), instants, zones, calendars)
def test_the_cautious_day_is_never_the_later(period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date]):
    found = deadlines(period, received(at, zone), calendar.__contains__)

    assert found.acknowledge_by is not None
    assert found.acknowledge_by_cautious is not None
    assert found.acknowledge_by_cautious <= found.acknowledge_by


@given(every, instants, zones, calendars, steps)
def test_what_must_stop_stops_on_the_local_day_of_receipt(
    period: Period, at: datetime, zone: ZoneInfo, calendar: frozenset[date], events: list[tuple[Step, timedelta]]
):
    found = deadlines(period, received(at, zone, events=events), calendar.__contains__)

    assert {stops(period.law, request) for request in period.requests} == {found.stop_on is not None}
    assert found.stop_on in {None, at.astimezone(zone).date()}


@given(every, instants, zones, calendars, calendars)
def test_more_holidays_never_make_anything_due_earlier(
    period: Period, at: datetime, zone: ZoneInfo, few: frozenset[date], more: frozenset[date]
):
    first = dates(deadlines(period, received(at, zone), few.__contains__))
    second = dates(deadlines(period, received(at, zone), (few | more).__contains__))

    assert all(first[name] <= second[name] for name in first)


def test_an_answer_whose_question_is_not_on_file_counts_for_the_start_only():
    fee = received(NOON, ZoneInfo("Europe/London"), events=[(Step.FEE_PAID, 9 * DAY)])
    clarified = received(NOON, ZoneInfo("Europe/London"), events=[(Step.CLARIFICATION_RECEIVED, 9 * DAY)])

    assert deadlines(ACCESS, fee, frozenset[date]().__contains__).due_on == date(2026, 7, 10)
    assert deadlines(ACCESS, clarified, frozenset[date]().__contains__).due_on == date(2026, 7, 1)


@pytest.mark.parametrize(
    ("law", "request_of_it"), [("QC_LAW25", "access"), ("FADP_CH", "access"), ("CAN_SPAM", "unsubscribe")]
)
def test_an_extension_that_the_law_does_not_know_is_refused(law: str, request_of_it: str):
    with pytest.raises(NotExtendable):
        deadlines(PERIODS.of(law, request_of_it), received(NOON, BERLIN, extended=True), frozenset[date]().__contains__)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.law}-{row.requests[0]}")
def test_a_duty_sets_dates_from_its_first_day_on(row: Period):
    zone = ZoneInfo("Europe/London")
    first = datetime.combine(SINCE.get(row.law, date(1900, 1, 2)), datetime.min.time(), zone)

    assert dates(deadlines(row, received(first, zone), frozenset[date]().__contains__))
    if row.law in SINCE:
        with pytest.raises(NotInForce):
            deadlines(row, received(first - timedelta(minutes=1), zone), frozenset[date]().__contains__)


def test_a_last_day_moves_in_europe_and_a_wait_in_california_only():
    """Business days skip the holidays of the whole country alone: so the earlier date is set."""
    for row in ROWS:
        moved = {True: Rounding.NEXT_WORKING_DAY, False: Rounding.NONE}[row.law in OF_EUROPE]
        assert row.rounding is (Rounding.FIRST_OF_NEXT_MONTH if row.law in {"CCPA_REASK", "CCPA_RECORDS"} else moved)
        assert row.holidays is (Whose.PLACE if row.law in OF_EUROPE else Whose.COUNTRY)


def test_only_a_refusal_stops_something_at_once():
    for row in ROWS:
        assert {stops(row.law, request) for request in row.requests} == {row.stops}


def test_only_the_law_of_the_united_kingdom_has_anything_to_wait_for():
    assert {row.law for row in ROWS if row.waits_for | row.pauses_for} == {"UK_GDPR"}


@pytest.mark.parametrize("law", STATES)
def test_a_state_gives_its_periods_for_each_of_their_requests(law: str):
    kinds = [["access", "correct", "delete", "portability"], ["opt_out", "opt_out_sale", "opt_out_targeted_ads"]]
    if law not in {"UCPA_UT", "ICDPA_IA"}:
        kinds[1].append("opt_out_profiling")
    if law != "UCPA_UT":
        kinds.append(["appeal"])
    if law in {"CTDPA", "DPDPA_DE", "NHPA_NH", "NJDPA_NJ", "OCPA_OR", "MCDPA_MN", "RIDTPPA_RI", "MODPA"}:
        kinds.append(["consent_revocation"])

    assert [list(row.requests) for row in ROWS if row.law == law] == kinds


@pytest.mark.parametrize("year", [1, 1899, 2200, 9999])
def test_a_year_without_calendars_is_refused(year: int):
    at = datetime(year, 12, 31, 23, tzinfo=UTC)
    event = Event(type=Step.IDENTITY_REQUESTED, at=at)

    for receipt in (received(at, BERLIN), Receipt(received_at=NOON, zone=BERLIN, events=(event,))):
        with pytest.raises(ReceiptOutOfRange):
            deadlines(ACCESS, receipt, frozenset[date]().__contains__)


def test_no_period_is_guessed():
    with pytest.raises(UnknownLaw, match="no law LOPD; known are CAN_SPAM, "):
        PERIODS.of("LOPD", "access")
    with pytest.raises(UnknownRequest, match="LGPD has no request erasure; it has access, confirmation"):
        PERIODS.of("LGPD", "erasure")


def test_two_periods_for_one_request_are_refused():
    with pytest.raises(ContradictoryPeriods):
        Periods([*ROWS, PERIODS.of("LGPD", "access")])


def test_every_period_rests_on_rules_of_the_catalogue():
    catalogue = msgspec.json.decode(
        (Path(__file__).parents[2] / "policies/catalogue.json").read_bytes(), type=list[dict[str, str]]
    )

    assert {rule for row in ROWS for rule in row.rules} <= {rule["id"] for rule in catalogue}
