"""National holidays, by the `holidays` library. Python says what is a holiday; the policy says what that closes."""

from datetime import date
from functools import lru_cache

import holidays


def is_holiday(country: str, day: date) -> bool:
    """Return whether `day` is a public holiday in the whole of a country, days in lieu included.

    Regional holidays are none, and a country that the library doesn't know has none.
    """
    return day in _days(country)


@lru_cache(maxsize=300)
def _days(country: str) -> holidays.HolidayBase:
    known = country in holidays.list_supported_countries()
    return holidays.country_holidays(country) if known else holidays.HolidayBase()
