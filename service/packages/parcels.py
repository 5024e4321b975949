"""A package that waits to be fetched: sealed under its person's key, for a while, for one download."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Handle
from service.packages.domain import Language

LEASE: Final = timedelta(seconds=90)
"""Whoever makes or fetches a package says so more often than this. Who is silent for longer has gone."""

GRACE: Final = timedelta(minutes=15)
"""From the beginning of the first download on, in which one that broke off can be repeated."""

ATTEMPTS: Final = 3
"""How often a package is begun. One that ended its maker as often would end the next one too."""

PURPOSE: Final = "dsr_response"


class ParcelState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FETCHED = "fetched"
    FAILED = "failed"
    DELETED = "deleted"
    EXPIRED = "expired"


UNDER_WAY: Final = (ParcelState.WAITING, ParcelState.RUNNING, ParcelState.READY)


class Fate(StrEnum):
    """Why a package may not lie any longer."""

    EXPIRED = "expired"
    DELETED = "deleted"
    """Its request is not being answered any more."""
    STRAY = "stray"
    """Its handle is nobody's: the person was forgotten, or merged with somebody."""


class Parcel(Struct, frozen=True, kw_only=True):
    """The package of one request, as it stands. One that is asked for anew takes the place of the one before."""

    request: UUID
    id: UUID
    handle: Handle
    language: Language
    asked_at: datetime
    actor: str
    call: str
    """The id of the HTTP request, or what else it was asked in."""
    state: ParcelState
    attempts: int
    holder: UUID | None
    """Who makes or fetches it at this moment."""
    beat_at: datetime | None
    """When the holder was last heard of."""
    maker: UUID | None
    """Who has made it, or was the last to begin."""
    size: int | None
    """Bytes of the package in plain."""
    made_at: datetime | None
    expires_at: datetime | None
    by_owner: bool
    """Whether it was the person who fetched it."""
    fault: str | None

    @property
    def file(self) -> str:
        """The name of its file. Whoever makes it anew makes another one."""
        return f"{self.id}.{self.maker}"

    def stands(self, now: datetime) -> ParcelState:
        """Return the state by the clock: a file may lie a moment longer than it may be had."""
        over = self.expires_at is not None and now >= self.expires_at and not self.held(now)
        return ParcelState.EXPIRED if self.state is ParcelState.READY and over else self.state

    def held(self, now: datetime) -> bool:
        """Return whether somebody makes or fetches it at this moment."""
        return self.holder is not None and self.beat_at is not None and now < self.beat_at + LEASE


class PackageNotDue(DomainError):
    """The request is not being answered."""

    code = "package_not_due"


class PackageUnknown(DomainError):
    """The request has no package, or is none that a package answers."""

    code = "package_unknown"


class PackageUnfinished(DomainError):
    """The package isn't made yet, or couldn't be."""

    code = "package_unfinished"


class PackageTaken(DomainError):
    """Somebody fetches the package at this moment."""

    code = "package_taken"


class PackageGone(DomainError):
    """The package was fetched, its time is over, or it was deleted."""

    code = "package_gone"
