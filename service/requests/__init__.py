"""What people ask for, from receipt to answer, and what the law gives a controller to answer it."""

from service.requests.case import ForStaff, Request, RequestMoved, RequestUnknown, Standing
from service.requests.check import Calendar, check_deadlines
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, Step, deadlines
from service.requests.executing import handles_of, standing_against
from service.requests.lifecycle import Happened, Move, MoveNotAllowed, State
from service.requests.moving import MoveRequest
from service.requests.periods import Period, Periods
from service.requests.ports import RequestStore, RequestTransaction
from service.requests.reading import is_theirs
from service.requests.rights import Package, Right
from service.requests.statutes import Statutes

__all__ = [
    "Calendar",
    "Deadlines",
    "Event",
    "ForStaff",
    "Happened",
    "IsHoliday",
    "Move",
    "MoveNotAllowed",
    "MoveRequest",
    "Package",
    "Period",
    "Periods",
    "Receipt",
    "Request",
    "RequestMoved",
    "RequestStore",
    "RequestTransaction",
    "RequestUnknown",
    "Right",
    "Standing",
    "State",
    "Statutes",
    "Step",
    "check_deadlines",
    "deadlines",
    "handles_of",
    "is_theirs",
    "standing_against",
]
