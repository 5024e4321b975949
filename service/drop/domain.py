"""The lists of California's Delete Request and Opt-out Platform, and what becomes of whom they name.

A broker fetches lists of hashed identifiers, each with the id of a work item, and tells the platform what became of
each (Civ. Code 1798.99.80-.99.89; 11 CCR 7600 ff.; RULES USCA-DROP-01).
"""

from collections.abc import Sequence
from datetime import date
from enum import IntEnum, StrEnum
from typing import Annotated, Final
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Handle, Instant, exactly

BrokerId = Annotated[str, exactly("[0-9A-Za-z]{1,20}")]
"""What the state calls a broker in the names of files."""
Suffix = Annotated[str, exactly("[0-9A-Za-z]{1,10}")]
"""Tells several files about one list apart."""


class NotABroker(DomainError):
    """The tenant hasn't said that it is a registered data broker."""

    code = "not_a_broker"


class ListUnusable(DomainError):
    """The download is not what the platform hands out. Nothing of it was taken in."""

    code = "drop_list_unusable"


class StillMatching(DomainError):
    """People are still to be compared with the lists, so nobody can say yet who isn't found."""

    code = "drop_still_matching"


class AnswerUnusable(DomainError):
    """The file is no answer to a list of this tenant."""

    code = "drop_answer_unusable"


class PortalRefused(DomainError):
    """The platform takes or gives nothing now, and asking again doesn't help."""

    code = "drop_refused"


class List(StrEnum):
    """The lists, by their names in files."""

    NDZ = "NDZ"
    """First name, last name, date of birth and ZIP."""
    EMAIL = "Email"
    PHONE = "Phone"
    MAID = "MAID"
    """Of a mobile device, for advertisements."""
    NAME_VIN = "NameVIN"
    """First name, last name and number of a vehicle."""
    CTVID = "CTVID"
    """Of a television, or of what is plugged into one."""


class Status(IntEnum):
    """What the platform is told of a work item."""

    EXEMPTED = 2
    DELETED = 3
    OPTED_OUT = 4
    NOT_FOUND = 5


class Broker(Struct, frozen=True, kw_only=True):
    """A tenant that is a registered data broker."""

    id: str
    registered_at: Instant
    accessed_at: Instant | None = None
    """When it last had a list, or was told that there is none."""


class Item(Struct, frozen=True):
    """A line of a list: a work item, and the hash of whom it is about."""

    id: str
    hash: bytes


class Added(Struct, frozen=True, kw_only=True):
    """What became of lines."""

    new: int = 0
    known: int = 0
    contradicting: int = 0
    """Their ids stand for other hashes, and go on doing so."""


class Found(Struct, frozen=True, kw_only=True):
    """Somebody whom a list names, of whom nothing has followed yet."""

    item: str
    handle: Handle
    at: Instant
    people: int
    """How many have what was hashed, now."""
    request: UUID | None
    """That to delete them, once that is settled."""
    removed: bool
    """The consumer has taken the request back."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What has become of one person of a work item."""

    followed: bool
    shared: bool
    requested: bool
    """Whether they were asked to be deleted: not who was gone already, or shares what was hashed."""
    state: str | None
    """Of that request; none once it is past its retention."""
    reason: str | None


class Answerable(Struct, frozen=True, kw_only=True):
    """A work item, and what has become of everybody found by it."""

    id: str
    listed_on: date
    told: Status | None
    """What the platform was told last."""
    outcomes: tuple[Outcome, ...]


class Counts(Struct, frozen=True, kw_only=True):
    """How far a broker is."""

    items: int
    unanswered: int
    """Work items of which the platform was told nothing yet."""
    people: int
    """Found by one at least."""
    waiting: int
    """People who are still to be compared with the lists."""
    unfollowed: int
    """Found, and nothing has followed yet."""


class Carried(Struct, frozen=True, kw_only=True):
    """What became of the requests of people who were found."""

    begun: int
    answered: int
    held: int
    """Something stands against them, which their plans name."""
    waiting: int
    """They aren't certified yet."""


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record that being found makes, on any channel."""

    action: str
    purpose: str


class Access(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period of `deadlines.json`."""

    law: str
    request: str


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the platform is told of a request in some states; with `reasons`, if it was refused for one of them."""

    states: tuple[str, ...]
    reasons: tuple[str, ...] | None = None
    status: str


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`policies/data/drop.json`."""

    law: str
    method: str
    of_one: Record
    of_several: Record
    access: Access
    outcomes: tuple[Rule, ...]
    rules: tuple[str, ...]
    citation: str

    def status(self, outcomes: Sequence[Outcome]) -> Status | None:
        """Return what the platform is told of a work item; nothing while something of it is open.

        Whose data are deleted comes before who was only opted out, where one hash led to both.
        """
        if not all(outcome.followed for outcome in outcomes):
            return None
        if not outcomes:
            return Status.NOT_FOUND
        alone = [outcome for outcome in outcomes if not outcome.shared]
        if not alone:
            return Status.OPTED_OUT
        found = [self._of(outcome) for outcome in alone]
        return None if None in found else min((each for each in found if each), key=_ORDER.index)

    def _of(self, outcome: Outcome) -> Status | None:
        if not outcome.requested:
            return Status.DELETED
        for rule in self.outcomes:
            if outcome.state in rule.states and (rule.reasons is None or outcome.reason in rule.reasons):
                return Status[rule.status.upper()]
        return None


_ORDER: Final = (Status.DELETED, Status.OPTED_OUT, Status.EXEMPTED)
