"""Requests that come through the protocols of others: OpenDSR, the Data Rights Protocol."""

from service.doors.domain import Tables
from service.doors.ports import DoorStore, DoorTransaction

__all__ = ["DoorStore", "DoorTransaction", "Tables"]
