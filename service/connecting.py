"""Makes what tells connected systems: the use cases over them, for the routes and for cases."""

import os
import random
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from service.brought import Safe
from service.downstreams import AssignTasks
from service.downstreams.answering import AnswerTask, ExcuseTask, ReadTasks, RepeatTask, TakeStatus
from service.downstreams.bringing import BringTasks
from service.downstreams.certificates import Certificates
from service.downstreams.domain import Grounds
from service.downstreams.ed25519 import Ed25519
from service.downstreams.handing import TakeFile
from service.downstreams.outgoing import Guard
from service.downstreams.ports import Send
from service.downstreams.pulling import PullTasks
from service.downstreams.speaking import Speaking
from service.downstreams.usecases import (
    DeleteDownstream,
    MakeSecret,
    PutDownstream,
    ReadDownstream,
    ReadDownstreams,
    Secrets,
)
from service.kernel import Clock, NewId
from service.settings import Settings, networks
from service.transaction import Begin
from service.trips import Trips
from service.vault import KeyAccess
from service.vault.boxes import open_box, seal_box

GROUNDS: Final = Path(__file__).parents[1] / "policies" / "downstreams.json"
"""Why a system may refuse, and why an officer may go on without its answer."""


def grounds() -> Grounds:
    """Return the table of reasons.

    Raises:
        OSError, msgspec.MsgspecError: it is missing, or isn't what docs/downstreams.md says.
    """
    return msgspec.json.decode(GROUNDS.read_bytes(), type=Grounds)


def guard(settings: Settings) -> Guard:
    return Guard(networks(settings))


def secrets(keys: KeyAccess, new_id: NewId) -> Secrets:
    return Secrets(keys, seal_box, open_box, Ed25519(), os.urandom, new_id)


def assigning(settings: Settings, clock: Clock, new_id: NewId) -> AssignTasks:
    """Return what a case gives tasks by, in its own transaction."""
    return AssignTasks(seal_box, clock, new_id, patience=timedelta(hours=settings.downstream_hours))


def bringing(settings: Settings, begin: Begin, keys: KeyAccess, send: Send, clock: Clock, new_id: NewId) -> BringTasks:
    """Return what brings tasks to systems, as the worker."""
    return BringTasks(
        begin,
        keys,
        open_box,
        secrets(keys, new_id),
        grounds(),
        send,
        Certificates().verify,
        clock,
        random.random,
        Trips.together,
        new_id,
        public_url=settings.public_url,
    )


def connected(settings: Settings, begin: Begin, keys: KeyAccess, clock: Clock, new_id: NewId) -> dict[str, Any]:
    """Return the dependencies of the routes about connected systems."""
    made, reasons, certificates = secrets(keys, new_id), grounds(), Certificates()
    speaking = Speaking(begin, keys, made, clock)
    return {
        "put_downstream": PutDownstream(
            begin, made, guard(settings), certificates.check, clock, http=settings.downstream_http
        ),
        "read_downstream": ReadDownstream(begin, clock),
        "read_downstreams": ReadDownstreams(begin),
        "delete_downstream": DeleteDownstream(begin),
        "make_secret": MakeSecret(begin, made, clock),
        "pull_tasks": PullTasks(begin, keys, open_box, clock),
        "answer_task": AnswerTask(begin, speaking, reasons, clock),
        "take_file": TakeFile(begin, speaking, Safe(keys), clock),
        "take_status": TakeStatus(begin, certificates.verify, clock, public_url=settings.public_url),
        "read_tasks": ReadTasks(begin),
        "excuse_task": ExcuseTask(begin, reasons, clock),
        "repeat_task": RepeatTask(begin, clock, patience=timedelta(hours=settings.downstream_hours)),
    }
