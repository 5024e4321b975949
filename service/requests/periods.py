"""How long the law gives for a request: `policies/data/deadlines.json` as values. `domain` counts with them."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from msgspec import Struct

from service.kernel import DomainError


class UnknownLaw(DomainError):
    """No period is known for a law of that name."""

    code = "unknown_law"


class UnknownRequest(DomainError):
    """The law is known, and gives no period for such a request."""

    code = "unknown_request"


class ContradictoryPeriods(Exception):
    """The table gives two periods for the same request."""


class Unit(StrEnum):
    DAYS = "days"
    BUSINESS_DAYS = "business_days"
    """Neither Saturday nor Sunday nor holiday. The first that counts is the next after receipt."""
    MONTHS = "months"
    CALENDAR_YEARS = "calendar_years"
    """To a fixed day (`ends_on`) of the year that many years after that of receipt."""


class Rounding(StrEnum):
    """What becomes of a last day that doesn't exist, or on which nobody works."""

    NONE = "none"
    NEXT_WORKING_DAY = "next_working_day"
    """A missing day is the last of its month; Saturday, Sunday and holiday give way to the next working day."""
    FIRST_OF_NEXT_MONTH = "first_of_next_month"
    """A missing day is the 1st of the next month: no wait ends too early."""


class Deadline(StrEnum):
    """The dates that a period can set."""

    DUE_ON = "due_on"
    ACKNOWLEDGE_BY = "acknowledge_by"
    EARLIEST_REASK_ON = "earliest_reask_on"
    KEEP_UNTIL = "keep_until"
    NO_CONTACT_UNTIL = "no_contact_until"
    NEXT_ACCESS_BY = "next_access_by"


class Need(StrEnum):
    """What a controller may have to ask of the person before it can answer."""

    IDENTITY = "identity"
    FEE = "fee"
    CLARIFICATION = "clarification"


class Whose(StrEnum):
    """Whose holidays count: those of the whole country, or also those of the controller's part of it."""

    COUNTRY = "country"
    PLACE = "place"


class Acknowledgement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    unit: Unit
    length: int
    cautious_saturdays: bool = False
    """Whether Saturdays may be business days, so that a second, earlier date is worth keeping."""


class Period(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one law gives for some requests, counted from the local day of receipt."""

    law: str
    requests: tuple[str, ...]
    unit: Unit
    length: int
    ends_on: str | None = None
    """Month and day (`MM-DD`); with calendar years only."""
    gives: tuple[Deadline, ...] = (Deadline.DUE_ON,)
    extension: int | None = None
    """What notice in time adds to the length, in the same unit. Nothing where the law knows no extension."""
    acknowledgement: Acknowledgement | None = None
    rounding: Rounding
    holidays: Whose = Whose.COUNTRY
    stops: bool = False
    """Whether processing stops on receipt, so that the period is only the outer limit."""
    waits_for: frozenset[Need] = frozenset()
    """The period begins when the last of these that was asked for is there."""
    pauses_for: frozenset[Need] = frozenset()
    """From the day of asking to that of the answer, both included, the period does not run."""
    in_force: date | None = None
    rules: tuple[str, ...]
    """Ids of `policies/catalogue.json`."""
    source: str
    disputed: str | None = None
    """What is contested, and which reading this is."""


class Periods:
    """The table. It answers with the one period of a request, or says that there is none."""

    def __init__(self, rows: Iterable[Period]) -> None:
        """Take the rows of the table.

        Raises:
            ContradictoryPeriods: two rows are about the same request.
        """
        self._laws: dict[str, dict[str, Period]] = {}
        for row in rows:
            known = self._laws.setdefault(row.law, {})
            for request in row.requests:
                if request in known:
                    raise ContradictoryPeriods(f"two periods for {row.law} {request}")
                known[request] = row

    def of(self, law: str, request: str) -> Period:
        """Return the period of a request.

        Raises:
            UnknownLaw: there is no such law in the table.
            UnknownRequest: the law gives no period for such a request.
        """
        if (known := self._laws.get(law)) is None:
            raise UnknownLaw(f"no law {law}; known are {', '.join(sorted(self._laws))}")
        if (period := known.get(request)) is None:
            raise UnknownRequest(f"{law} has no request {request}; it has {', '.join(sorted(known))}")
        return period
