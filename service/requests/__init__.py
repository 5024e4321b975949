"""What the law gives a controller to answer a request: periods, and the dates that they set."""

from service.requests.check import Calendar, check_deadlines
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, Step, deadlines
from service.requests.periods import Period, Periods

__all__ = [
    "Calendar",
    "Deadlines",
    "Event",
    "IsHoliday",
    "Period",
    "Periods",
    "Receipt",
    "Step",
    "check_deadlines",
    "deadlines",
]
