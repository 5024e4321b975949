"""OpenDSR 2.0 as a processor speaks it: github.com/opengdpr/OpenDSR, specification.md, sections 5 to 9."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from service.doors.domain import Claim, Door, IdentitiesUnusable, Intake, OpenDsrTable, Status
from service.kernel import Instant, SubjectId, SubjectRef, TenantId, exactly
from service.requests import About, Via

VERSION: Final = "2.0"
CUSTOMER: Final = "controller_customer_id"
RAW: Final = "raw"
RequestId = Annotated[str, exactly("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")]
"""A UUID of version 4, in lower case (section 1.1)."""
Url = Annotated[str, exactly("https?://[!-~]{1,2000}")]


class DsrIdentity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing by which a controller knows the person."""

    identity_type: Literal[
        "controller_customer_id", "android_advertising_id", "android_id", "email", "fire_advertising_id",
        "ios_advertising_id", "ios_vendor_id", "microsoft_advertising_id", "microsoft_publisher_id",
        "roku_advertising_id", "roku_publisher_id",
    ]  # fmt: skip
    identity_value: Annotated[str, Meta(min_length=1, max_length=512)]
    identity_format: Literal["raw", "sha1", "md5", "sha256"]


class DsrRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request of a data subject, as a controller hands it on."""

    regulation: Literal["gdpr", "ccpa"]
    subject_request_id: RequestId
    subject_request_type: Literal["access", "portability", "erasure"]
    subject_identities: Annotated[list[DsrIdentity], Meta(min_length=1, max_length=50)]
    submitted_time: Instant
    """When the person asked. The clock runs from then."""
    api_version: Annotated[str, exactly("[0-9]{1,3}(\\.[0-9]{1,3}){0,2}")] | None = None
    status_callback_urls: Annotated[list[Url], Meta(max_length=5)] = []
    extensions: dict[str, dict[str, Any]] = {}
    """Kept with the request, and not looked at."""


class DsrSupported(Struct, frozen=True, kw_only=True):
    identity_type: str
    identity_format: str


class DsrDiscovery(Struct, frozen=True, kw_only=True):
    """What is understood here."""

    api_version: str
    supported_identities: list[DsrSupported]
    supported_subject_request_types: list[str]
    processor_certificate: str
    """Where the certificate is by which every answer is signed."""


class DsrReceipt(Struct, frozen=True, kw_only=True):
    """That a request came."""

    controller_id: str
    expected_completion_time: Instant
    received_time: Instant
    encoded_request: str
    """The whole body, in base64. Don't log or store it."""
    subject_request_id: str


class DsrStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a request is."""

    controller_id: str
    expected_completion_time: Instant
    subject_request_id: str
    request_status: str
    api_version: str
    status_callback_url: str | None = None
    """In a callback: where it goes."""


class DsrCancelled(Struct, frozen=True, kw_only=True):
    """That a request was taken back."""

    controller_id: str
    received_time: Instant
    subject_request_id: str
    api_version: str


def understood(table: OpenDsrTable) -> Sequence[DsrSupported]:
    kinds = [CUSTOMER, *sorted(table.fields)]
    return [DsrSupported(identity_type=kind, identity_format=RAW) for kind in kinds]


def intake_of(said: DsrRequest, body: bytes, table: OpenDsrTable) -> Intake:
    """Return what a request asks for.

    Raises:
        IdentitiesUnusable: everything that is said of the person is a hash. Ours are keyed, so nobody is found by it.
    """
    raw = [each for each in said.subject_identities if each.identity_format == RAW]
    if not raw:
        raise IdentitiesUnusable("people are found by raw identities alone", pointers=["/subject_identities"])
    return Intake(
        door=Door.OPENDSR,
        sender="",
        reference=said.subject_request_id,
        right=table.rights[said.subject_request_type],
        law=table.laws[said.regulation],
        via=Via.SYSTEM,
        received_at=said.submitted_time,
        claims=tuple(
            Claim(table.fields[each.identity_type], each.identity_value)
            for each in raw
            if each.identity_type in table.fields
        ),
        subjects=tuple(
            SubjectId(each.identity_value)
            for each in raw
            if each.identity_type == CUSTOMER and _is_subject(each.identity_value)
        ),
        message=body,
        content=body,
        about=About.IDENTITY,
        callbacks=tuple(said.status_callback_urls),
    )


def receipt_of(status: Status, body: bytes, tenant: TenantId) -> DsrReceipt:
    return DsrReceipt(
        controller_id=tenant,
        expected_completion_time=status.expected_at,
        received_time=status.taken.received_at,
        encoded_request=b64encode(body).decode(),
        subject_request_id=status.kept.reference,
    )


def stands(status: Status, tenant: TenantId, callback: str | None = None) -> DsrStatus:
    return DsrStatus(
        controller_id=tenant,
        expected_completion_time=status.expected_at,
        subject_request_id=status.kept.reference,
        request_status=status.state,
        api_version=VERSION,
        status_callback_url=callback,
    )


def _is_subject(text: str) -> bool:
    try:
        msgspec.convert(text, SubjectRef)
    except msgspec.ValidationError:
        return False
    return True
