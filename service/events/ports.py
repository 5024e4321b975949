from collections.abc import Sequence
from typing import Protocol

from service.events.domain import Event


class Outbox(Protocol):
    """Events that wait to be told. They are stored with their cause, or neither is."""

    async def add(self, events: Sequence[Event]) -> None:
        """Queue `events`, to be told at least once and in this order for a subject, after the transaction commits."""
        ...
