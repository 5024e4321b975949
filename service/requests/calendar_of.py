"""Public holidays, by the `holidays` library, for the places of controllers."""

from datetime import date
from functools import lru_cache

import holidays

from service.requests.domain import IsHoliday, UnknownPlace


def public_holidays(place: str) -> IsHoliday:
    """Return what is a public holiday, days in lieu included, in a country or a part of it (ISO 3166-1 or -2).

    Of a country without its part only the days that the whole of it keeps. Great Britain
    shares few: say `GB-ENG`, `GB-SCT`, `GB-WLS` or `GB-NIR`.

    Raises:
        UnknownPlace: the library doesn't know the place.
    """
    calendar = _calendar(place)

    def is_holiday(day: date) -> bool:
        return day in calendar

    return is_holiday


@lru_cache(maxsize=300)
def _calendar(place: str) -> holidays.HolidayBase:
    country, _, part = place.partition("-")
    parts = holidays.list_supported_countries().get(country)
    if parts is None or (part and part not in parts):
        raise UnknownPlace(f"no calendar is known of the place {place}")
    return holidays.country_holidays(country, subdiv=part or None)
