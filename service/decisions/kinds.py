"""What is remembered of frames from chunk to chunk and from batch to batch, and nothing about people."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from service.decisions.alike import Alike, Plan
from service.decisions.clocks import Zones
from service.decisions.domain import Question
from service.decisions.narrow import micros
from service.decisions.overlay import Overlay
from service.decisions.packed import Given
from service.decisions.ports import Law

ROOM: Final = 60_000
"""Plans that a batch keeps, as many answers, and as many of each that are kept between batches."""
_AGED: Final = timedelta(minutes=30)
"""After which people are told apart anew. Whose answer has changed by then is read at length until then."""


class Kinds:
    """How people are told apart by their frames, for one question under what governs one tenant."""

    def __init__(self, law: Law, question: Question, overlay: Overlay, zones_of: Callable[[str | None], Zones]) -> None:
        self.law = law
        self.at = question.at
        self.alike = Alike(question, overlay, law.policy, zones_of)
        self.plans: dict[bytes, Plan] = {}
        """By the name of the frame."""
        self.given: dict[tuple[Any, ...], Given | None] = {}
        """What those were answered who stand at one place, as far as they were asked about. Nothing where it is not the
        same for all."""

    def good_at(self, now: datetime) -> bool:
        """Whether what is known still tells people apart. An instant before the first is never asked about."""
        return self.at <= now <= self.at + _AGED and micros(now) < self.alike.until

    @property
    def size(self) -> int:
        return max(len(self.plans), len(self.given))

    def shrink(self) -> None:
        """Forget what came last, where there is too much: what many have in common came first."""
        for known in (self.plans, self.given):
            while len(known) > ROOM:
                known.popitem()


class Remembered:
    """The kinds that the last batches learnt, by what they asked about whom under what."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, Kinds]] = []

    def find(self, about: Any) -> Kinds | None:
        return next((kinds for each, kinds in self._kept if each == about), None)

    def keep(self, about: Any, kinds: Kinds) -> None:
        """Keep these as the latest, and of others what there is room for."""
        kinds.shrink()
        self._kept = [*(each for each in self._kept if each[0] != about), (about, kinds)]
        while sum(each.size for _, each in self._kept) > ROOM:
            del self._kept[0]
