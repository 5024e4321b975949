"""California's Delete Request and Opt-out Platform: whom its lists name, and what becomes of them."""

from service.drop.answering import HEADER, answer_line, answer_name, answers, check_name
from service.drop.domain import (
    Added,
    AnswerUnusable,
    Broker,
    BrokerId,
    Carried,
    Counts,
    Found,
    List,
    ListUnusable,
    NotABroker,
    PortalRefused,
    Rules,
    Status,
    StillMatching,
    Suffix,
)
from service.drop.finding import Follow, MarkPeople
from service.drop.ports import DropStore, DropTransaction
from service.drop.reading import Download
from service.drop.usecases import Answers, CarryOut, NoteAccess, ReadProgress, RegisterBroker, TakeIn, Tell

__all__ = [
    "HEADER",
    "Added",
    "AnswerUnusable",
    "Answers",
    "Broker",
    "BrokerId",
    "Carried",
    "CarryOut",
    "Counts",
    "Download",
    "DropStore",
    "DropTransaction",
    "Follow",
    "Found",
    "List",
    "ListUnusable",
    "MarkPeople",
    "NotABroker",
    "NoteAccess",
    "PortalRefused",
    "ReadProgress",
    "RegisterBroker",
    "Rules",
    "Status",
    "StillMatching",
    "Suffix",
    "TakeIn",
    "Tell",
    "answer_line",
    "answer_name",
    "answers",
    "check_name",
]
