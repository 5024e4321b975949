"""What people ask for, from receipt to answer, and what the law gives a controller to answer it."""

from service.requests.case import (
    Filter,
    ForStaff,
    PlaceNeeded,
    Position,
    Request,
    RequestMoved,
    RequestUnknown,
    Said,
    Standing,
    Via,
    Wish,
)
from service.requests.check import Calendar, check_deadlines
from service.requests.committed import EVENTS, payload_of
from service.requests.domain import Deadlines, Event, IsHoliday, Receipt, Step, deadlines
from service.requests.executing import CertificateNeeded, ErasureHeld, handles_of, standing_against
from service.requests.letters import LARGEST, About, LetterTooLarge, Written
from service.requests.lifecycle import OPEN, Happened, Move, MoveNotAllowed, State
from service.requests.moving import MoveRequest
from service.requests.periods import Period, Periods
from service.requests.ports import RequestStore, RequestTransaction
from service.requests.reading import is_theirs
from service.requests.rights import Package, Right
from service.requests.statutes import Statutes
from service.requests.telling import AnswersOwed, TellSystems
from service.requests.usecases import OpenRequest
from service.requests.writing import WriteLetter

__all__ = [
    "EVENTS",
    "LARGEST",
    "OPEN",
    "About",
    "AnswersOwed",
    "Calendar",
    "CertificateNeeded",
    "Deadlines",
    "ErasureHeld",
    "Event",
    "Filter",
    "ForStaff",
    "Happened",
    "IsHoliday",
    "LetterTooLarge",
    "Move",
    "MoveNotAllowed",
    "MoveRequest",
    "OpenRequest",
    "Package",
    "Period",
    "Periods",
    "PlaceNeeded",
    "Position",
    "Receipt",
    "Request",
    "RequestMoved",
    "RequestStore",
    "RequestTransaction",
    "RequestUnknown",
    "Right",
    "Said",
    "Standing",
    "State",
    "Statutes",
    "Step",
    "TellSystems",
    "Via",
    "Wish",
    "WriteLetter",
    "Written",
    "check_deadlines",
    "deadlines",
    "handles_of",
    "is_theirs",
    "payload_of",
    "standing_against",
]
