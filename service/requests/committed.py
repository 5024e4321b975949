"""What the log is told of a request, and commits to."""

from datetime import UTC
from typing import Final

import msgspec

from service.audit import AuditEvent, Draft, Payload
from service.requests.case import Request
from service.requests.lifecycle import Happened, Move

EVENTS: Final = {
    Move.RECEIVE: AuditEvent.REQUEST_RECEIVED,
    Move.JOIN: AuditEvent.REQUEST_JOINED,
    Move.REOPEN: AuditEvent.REQUEST_REOPENED,
    Move.ACKNOWLEDGE: AuditEvent.REQUEST_ACKNOWLEDGED,
    Move.ASK_IDENTITY: AuditEvent.REQUEST_IDENTITY_ASKED,
    Move.AUTHORISE: AuditEvent.REQUEST_AUTHORISED,
    Move.VERIFY: AuditEvent.REQUEST_VERIFIED,
    Move.EXTEND: AuditEvent.REQUEST_EXTENDED,
    Move.ASK_FEE: AuditEvent.REQUEST_FEE_ASKED,
    Move.FEE_PAID: AuditEvent.REQUEST_FEE_PAID,
    Move.CLARIFY: AuditEvent.REQUEST_CLARIFICATION_ASKED,
    Move.CLARIFIED: AuditEvent.REQUEST_CLARIFIED,
    Move.EXECUTE: AuditEvent.REQUEST_EXECUTING,
    Move.COMPLETE: AuditEvent.REQUEST_ANSWERED,
    Move.CLOSE: AuditEvent.REQUEST_CLOSED,
    Move.REFUSE: AuditEvent.REQUEST_REFUSED,
    Move.WITHDRAW: AuditEvent.REQUEST_WITHDRAWN,
    Move.LIFT: AuditEvent.REQUEST_LIFTED,
}


def payload_of(request: Request, happened: Happened) -> Payload:
    """Return all from which the dates of a request follow, and what happened to it."""
    said = msgspec.structs.asdict(request) | msgspec.structs.asdict(happened)
    said |= {name: said[name].astimezone(UTC) for name in ("at", "entered_at", "received_at")}
    return Payload(said)


def moved(request: Request, happened: Happened) -> Draft:
    """Return the entry that tells of what happened to a request."""
    return Draft(
        event=EVENTS[happened.move],
        object_id=str(request.id),
        subject=request.handle,
        payload=payload_of(request, happened),
    )
