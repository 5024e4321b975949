"""Everything that happened to one person, in one order."""

from service.timeline.domain import Item, Kind, Timeline
from service.timeline.usecases import ReadTimeline

__all__ = ["Item", "Kind", "ReadTimeline", "Timeline"]
