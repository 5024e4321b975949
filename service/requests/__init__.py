"""What people ask for, from receipt to answer, and what the law gives a controller to answer it."""

from service.requests.case import ForStaff, Request, RequestMoved, RequestUnknown, Standing
from service.requests.check import Calendar, check_deadlines
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, Step, deadlines
from service.requests.executing import handles_of, standing_against
from service.requests.lifecycle import Move, MoveNotAllowed, State
from service.requests.moving import MoveRequest
from service.requests.periods import Period, Periods
from service.requests.ports import RequestTransaction
from service.requests.reading import is_theirs
from service.requests.rights import Package, Right
from service.requests.statutes import Statutes
from service.requests.telling import AnswersOwed, TellSystems

__all__ = [
    "AnswersOwed",
    "Calendar",
    "Deadlines",
    "Event",
    "ForStaff",
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
    "RequestTransaction",
    "RequestUnknown",
    "Right",
    "Standing",
    "State",
    "Statutes",
    "Step",
    "TellSystems",
    "check_deadlines",
    "deadlines",
    "handles_of",
    "is_theirs",
    "standing_against",
]
