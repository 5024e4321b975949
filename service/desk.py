"""Makes what handles the requests of people: the tables of the law, and the use cases over them."""

from pathlib import Path
from typing import Any

from service.consent import AppendRecords
from service.decisions import Policy
from service.kernel import Clock, NewId
from service.requests.artefacts import read_periods, read_rights
from service.requests.calendar_of import public_holidays
from service.requests.moving import MoveRequest
from service.requests.reading import ReadRequest, ReadRequests
from service.requests.statutes import Statutes
from service.requests.usecases import OpenRequest
from service.transaction import Begin


def statutes(build: Path, policy: Policy) -> Statutes:
    """Return what the shipped law says about requests, from the folder `build`."""
    return Statutes(
        rights=read_rights(build),
        periods=read_periods(build),
        calendar=public_holidays,
        zones=policy.gazetteer.zones,
    )


def desk(begin: Begin, clock: Clock, new_id: NewId, law: Statutes, append: AppendRecords) -> dict[str, Any]:
    """Return the dependencies of the routes about requests."""
    return {
        "open_request": OpenRequest(begin, clock, new_id, law, append),
        "read_requests": ReadRequests(begin, clock, law),
        "read_request": ReadRequest(begin, clock, law),
        "move_request": MoveRequest(begin, clock, law),
    }
