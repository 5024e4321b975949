from uuid import UUID

from msgspec import Struct

from service.kernel import Instant
from service.packages.domain import Language
from service.packages.parcels import Parcel, ParcelState


class PackageCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package that is wanted."""

    language: Language | None = None
    """What its page is written in. Without it that of the place where the person lives, as far as there is one."""


class PackageView(Struct, frozen=True, kw_only=True):
    """How the package of a request stands."""

    request: UUID
    state: ParcelState
    language: Language | None = None
    """Known once it waits to be made."""
    asked_at: Instant | None = None
    made_at: Instant | None = None
    expires_at: Instant | None = None
    """Until when it can be fetched. From the beginning of the first download on that is soon."""
    bytes: int | None = None
    fault: str | None = None
    """Why it couldn't be made. Told to staff."""

    @classmethod
    def of(cls, parcel: Parcel, state: ParcelState, *, own: bool) -> "PackageView":
        return cls(
            request=parcel.request,
            state=state,
            language=parcel.language,
            asked_at=parcel.asked_at,
            made_at=parcel.made_at,
            expires_at=parcel.expires_at,
            bytes=parcel.size,
            fault=None if own else parcel.fault,
        )
