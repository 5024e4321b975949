"""What OpenDSR 2.0 calls things: github.com/opengdpr/OpenDSR, specification.md, sections 5 to 8.

Each answer of a processor is signed: RSA with SHA-256 over the raw body, by a certificate that names its domain.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from service.downstreams.domain import OF_OPENDSR, Person, Task
from service.kernel import Instant, TenantId

VERSION: Final = "2.0"
DOMAIN: Final = "x-opendsr-processor-domain"
SIGNATURE: Final = "x-opendsr-signature"
CUSTOMER: Final = "controller_customer_id"
IDENTITIES: Final = frozenset(
    {
        "android_advertising_id", "android_id", "email", "fire_advertising_id", "ios_advertising_id", "ios_vendor_id",
        "microsoft_advertising_id", "microsoft_publisher_id", "roku_advertising_id", "roku_publisher_id",
    }
)  # fmt: skip
"""The kinds of identities that it has a word for; others are not told (section 5.1)."""

Status = Literal["pending", "in_progress", "completed", "cancelled"]


class Received(Struct, frozen=True, kw_only=True):
    """What a processor answers to a request (section 7.3)."""

    subject_request_id: UUID
    encoded_request: str


class Stands(Struct, frozen=True, kw_only=True):
    """How far a processor says that it is (sections 8.3 and 8.6)."""

    subject_request_id: UUID
    request_status: Status
    status_callback_url: str | None = None


class _Identity(Struct, frozen=True, kw_only=True):
    identity_type: str
    identity_value: str
    identity_format: str = "raw"


class _Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    regulation: str
    subject_request_id: UUID
    subject_request_type: str
    submitted_time: Instant
    subject_identities: tuple[_Identity, ...]
    api_version: str
    status_callback_urls: tuple[str, ...] = ()


def request_of(task: Task, person: Person, callback: str | None) -> bytes:
    """Return the body of the request for a task."""
    told = [
        *((CUSTOMER, subject) for subject in person.subjects),
        *((each.type, each.value) for each in person.identities if each.type in IDENTITIES),
    ]
    return msgspec.json.encode(
        _Request(
            regulation=person.regulation,
            subject_request_id=outer(task.id),
            subject_request_type=OF_OPENDSR[task.kind],
            submitted_time=task.assigned_at,
            subject_identities=tuple(_Identity(identity_type=kind, identity_value=value) for kind, value in told),
            api_version=VERSION,
            status_callback_urls=() if callback is None else (callback,),
        )
    )


def outer(task: UUID) -> UUID:
    """Return the id of a task as a UUID of version 4, the only one that OpenDSR takes."""
    return UUID(int=task.int & ~(0xF << 76) | 4 << 76)


def inner(request: UUID) -> UUID:
    """Return the id of the task that `outer` made another of."""
    return UUID(int=request.int & ~(0xF << 76) | 7 << 76)


def took(reply: bytes, task: Task, request: bytes) -> bool:
    """Return whether a reply says that the processor has this very request."""
    try:
        said = msgspec.json.decode(reply, type=Received)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return said.subject_request_id == outer(task.id) and said.encoded_request == b64encode(request).decode()


def stands(reply: bytes) -> Stands | None:
    """Return what a processor says about a request; nothing if that isn't what it says."""
    try:
        return msgspec.json.decode(reply, type=Stands)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def signed_as(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the domain and the signature of a message, empty where there is none."""
    return headers.get(DOMAIN, ""), headers.get(SIGNATURE, "")


def callback_url(public_url: str, tenant: TenantId, system: str) -> str:
    """Return where a processor tells how far it is."""
    return f"{public_url.rstrip('/')}/v1/downstreams/{system}/opendsr?tenant={tenant}"
