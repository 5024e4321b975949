"""Tell others what happened: at least once, never too early."""

from service.events.domain import Event
from service.events.ports import Outbox

__all__ = ["Event", "Outbox"]
