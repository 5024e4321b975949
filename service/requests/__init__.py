"""What people ask for, and what the law gives a controller to answer it: periods, and the dates that they set."""

from service.requests.case import Request, RequestUnknown
from service.requests.check import Calendar, check_deadlines
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, Step, deadlines
from service.requests.executing import handles_of, standing_against
from service.requests.lifecycle import State
from service.requests.periods import Period, Periods
from service.requests.ports import RequestTransaction
from service.requests.rights import Right
from service.requests.statutes import Statutes

__all__ = [
    "Calendar",
    "Deadlines",
    "Event",
    "IsHoliday",
    "Period",
    "Periods",
    "Receipt",
    "Request",
    "RequestTransaction",
    "RequestUnknown",
    "Right",
    "State",
    "Statutes",
    "Step",
    "check_deadlines",
    "deadlines",
    "handles_of",
    "standing_against",
]
