"""Four eyes: what one officer wants to read of many people at once, and what a second one agreed to."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.audit import Payload
from service.kernel import DomainError

LASTS: Final = timedelta(hours=24)
"""From the request on, so that a forgotten approval opens nothing."""

ALONE: Final = timedelta(hours=1)
"""For so long each person counts whom an officer reads without an approval."""


class ApprovalUnknown(DomainError):
    """The tenant has no approval with this id."""

    code = "approval_unknown"


class ApprovalNeeded(DomainError):
    """Officers read many people at once only if a second person has agreed."""

    code = "approval_needed"


class ApprovalUnusable(DomainError):
    """The approval doesn't cover what is asked: it is another's, not given, used, expired, or about something else."""

    code = "approval_unusable"


class TooManyPeople(DomainError):
    """An officer has read as many people one by one as may be without a second person."""

    code = "too_many_people"


class SecondPersonNeeded(DomainError):
    """Who asks can't agree for themselves."""

    code = "second_person_needed"


class ApprovalState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    USED = "used"
    EXPIRED = "expired"


class Approval(Struct, frozen=True, kw_only=True):
    """What is to be read of how many people, for which matter, and who agreed."""

    id: UUID
    purpose: str
    fields: tuple[str, ...]
    subjects: int
    """The most people it covers."""
    reference: str
    """The matter, by the tenant's own id: a request, a court's file."""
    requested_at: datetime
    requested_by: str
    expires_at: datetime
    approved_at: datetime | None = None
    approved_by: str | None = None
    used_at: datetime | None = None

    def asked(self) -> Payload:
        """Return what the log commits to when it is asked for. The matter is the tenant's own, so it isn't shown."""
        return Payload(
            {
                "id": self.id,
                "purpose": self.purpose,
                "fields": self.fields,
                "subjects": self.subjects,
                "requested_at": self.requested_at.astimezone(UTC),
                "requested_by": self.requested_by,
                "expires_at": self.expires_at.astimezone(UTC),
            },
            {"reference": self.reference.encode()},
        )

    def given(self) -> Payload:
        """Return what the log commits to when somebody agrees: all of that, and who it was."""
        asked = self.asked()
        agreed = {"approved_at": self.approved_at and self.approved_at.astimezone(UTC), "approved_by": self.approved_by}
        return Payload({**asked.shown, **agreed}, asked.withheld)

    def state(self, now: datetime) -> ApprovalState:
        if self.used_at is not None:
            return ApprovalState.USED
        if now >= self.expires_at:
            return ApprovalState.EXPIRED
        return ApprovalState.WAITING if self.approved_at is None else ApprovalState.APPROVED

    def check_second(self, actor: str, now: datetime) -> None:
        """Refuse an agreement that is none.

        Raises:
            SecondPersonNeeded, ApprovalUnusable
        """
        if actor == self.requested_by:
            raise SecondPersonNeeded("another client than the one that asked has to agree")
        if self.state(now) is not ApprovalState.WAITING:
            raise ApprovalUnusable(f"nothing to agree to: it is {self.state(now)}", state=self.state(now))

    def check_use(self, actor: str, purpose: str, fields: tuple[str, ...], now: datetime) -> None:
        """Refuse a use that nobody agreed to.

        Raises:
            ApprovalUnusable
        """
        state = self.state(now)
        if state is not ApprovalState.APPROVED:
            raise ApprovalUnusable(f"it is {state}", pointers=["/approval"], state=state)
        if actor != self.requested_by:
            raise ApprovalUnusable("it is for whoever asked for it", pointers=["/approval"], state=state)
        if purpose != self.purpose or not set(fields) <= set(self.fields):
            raise ApprovalUnusable("it is about another purpose or other fields", pointers=["/approval"], state=state)
