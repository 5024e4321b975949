"""The data of the policy, as far as Python needs it to state facts. The policy is where it means something."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.consent import Vocabulary
from service.decisions.clocks import IsHoliday
from service.subjects import Gazetteer

STAGES: Final = (
    "person and place",
    "erasure",
    "duties",
    "restriction",
    "refusals",
    "signals and registers",
    "service",
    "age",
    "special data",
    "automated decisions",
    "permission",
    "disclosure",
    "transfer",
    "content",
    "hours",
    "combination",
)
"""The order of decision, as policies/README.md names it."""


class Bands(Struct, frozen=True, kw_only=True):
    """The edges that any rule compares with, in order."""

    months: tuple[int, ...]
    waits: tuple[int, ...]
    ages: tuple[int, ...]
    minutes: tuple[int, ...]
    in_force: tuple[date, ...]
    attempts: Mapping[str, int]
    """The most that is counted, for `h24` and `d30`."""
    counted_together: Mapping[str, tuple[frozenset[str], ...]] = {}
    """For each of these spans, sets of channels on which the law counts attempts together."""
    clock_channels: frozenset[str]
    """Channels on which the hour matters."""
    spans: Mapping[str, frozenset[str]]
    """For each span, the actions that some rule measures by it."""


class Measures(Struct, frozen=True, kw_only=True):
    """What each regime measures, so that facts tell no more than the laws of their places ask."""

    months: Mapping[str, Mapping[str, tuple[str, ...]]]
    """By regime and by pointer into `periods`: the spans that are compared with the number there."""
    sender: str
    """The place whose laws a sender may bring along."""


class PolicyData(Struct, frozen=True, kw_only=True, eq=False):
    """`policies/build/data.json`, below `volens`. Equal to itself alone, so that what follows from it is remembered."""

    bands: Bands
    terms: Mapping[str, frozenset[str]]
    """The known values of every enumerated string."""
    actions: Mapping[str, Any]
    methods: Mapping[str, Any]
    places: Mapping[str, Any]
    periods: Mapping[str, Any] = {}
    keeping: tuple[Mapping[str, Any], ...] = ()
    measures: Measures | None = None
    """Nothing in a policy of before there was this table."""
    in_force: Mapping[str, str] = {}
    """The day from which a rule holds, for those that had one to come when they were written."""


class RuleNote(Struct, frozen=True, kw_only=True):
    """A rule of the law as the policy's annotations describe it (`policies/build/rules.json`)."""

    id: str
    title: str
    citation: str
    stage: int
    file: str
    line: int
    regime: str | None = None
    confidence: str | None = None
    in_force: str | None = None


class Policy(Struct, frozen=True, kw_only=True):
    """One revision of the policy, but for its verdicts, as values."""

    revision: str
    data: PolicyData
    vocabulary: Vocabulary
    rules: Mapping[str, RuleNote]
    gazetteer: Gazetteer
    is_holiday: IsHoliday
    tables: Mapping[str, Any] = {}
    """The data documents as they are, by name."""


class _Root(Struct):
    volens: PolicyData


def policy_data(document: bytes) -> PolicyData:
    """Read `data.json`.

    Raises:
        msgspec.ValidationError: it isn't what docs/facts.md says.
    """
    return msgspec.json.decode(document, type=_Root).volens
