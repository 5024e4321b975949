"""California's Delete Request and Opt-out Platform: whom its lists name, and what becomes of them."""

from service.drop.domain import (
    Added,
    AnswerUnusable,
    Broker,
    BrokerId,
    Counts,
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
from service.drop.usecases import Answers, NoteAccess, ReadProgress, RegisterBroker, TakeIn, Tell

__all__ = [
    "Added",
    "AnswerUnusable",
    "Answers",
    "Broker",
    "BrokerId",
    "Counts",
    "Download",
    "DropStore",
    "DropTransaction",
    "Follow",
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
]
