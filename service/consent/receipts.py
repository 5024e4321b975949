"""What a receipt says of a record: the fields of ISO/IEC TS 27560, in terms of the Data Privacy Vocabulary (DPV 2.3).

The shape is that of the W3C DPVCG guide to 27560, as JSON-LD whose context needs no network. A receipt says what the
record says, and never what follows from it: whether a consent is valid is policy. It names the person by the handle,
because the audit entry beside it does: together with the tenant's own id it would lead from the log to a person for
ever, also after an erasure. The same record always has the same content. What 27560 wants and the record doesn't say
is listed as `volens:notStated`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.consent.domain import OWN_ACTS, Notice, OwnPurpose, StoredRecord
from service.consent.vocabulary import Action, Purpose, is_tenant_purpose
from service.kernel import DomainError, TenantId

CONTEXT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "dct": "http://purl.org/dc/terms/",
        "dpv": "https://w3id.org/dpv#",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "volens": "https://volens.example/terms#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "dct:conformsTo": {"@type": "@id"},
        "dct:created": {"@type": "xsd:dateTime"},
        "dpv:hasLegalBasis": {"@type": "@id"},
        "dpv:isIndicatedAtTime": {"@type": "xsd:dateTime"},
        "dpv:isIndicatedBy": {"@type": "@id"},
        "skos:broader": {"@type": "@id"},
        "volens:statement": {"@type": "@json"},
    }
)
SCHEMA: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt"
GIVEN: Final = "dpv:ConsentGiven"
UNKNOWN: Final = "dpv:ConsentUnknown"

STATUS: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.OPT_IN: GIVEN,
        Action.OPT_IN_PENDING: "dpv:ConsentRequested",
        Action.OPT_OUT: "dpv:ConsentWithdrawn",
        Action.DECLINED_OPT_IN: "dpv:ConsentRefused",
        Action.OBJECT: "dpv:ObjectingToProcess",
        Action.COMPLAINT: "dpv:ObjectingToProcess",
        Action.REFUSED_IN_CALL: "dpv:ConsentRefused",
        Action.OPT_IN_SALE: GIVEN,
        Action.OPT_OUT_SALE: "dpv:OptingOutFromProcess",
        Action.LIMIT: "dpv:OptingOutFromProcess",
        Action.GPC: "dpv:OptingOutFromProcess",
        Action.DROP_LISTED: "dpv:OptingOutFromProcess",
        Action.DROP_UNVERIFIED: "dpv:OptingOutFromProcess",
        Action.PARENTAL_CONSENT: GIVEN,
        Action.CONSENT_DURING_RESTRICTION: GIVEN,
        Action.ADM_OPT_OUT: "dpv:OptingOutFromProcess",
        Action.DNC_LISTED: "dpv:OptingOutFromProcess",
    }
)
"""What was recorded, in DPV's words. Everything else (a purchase, a call) says nothing about consent."""

OF_CONSENT: Final = frozenset({GIVEN, "dpv:ConsentRequested", "dpv:ConsentRefused", "dpv:ConsentWithdrawn"})
PURPOSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Purpose.MARKETING: "dpv:DirectMarketing",
        Purpose.PARTNER_MARKETING: "dpv:DirectMarketing",
        Purpose.PERSONALIZATION: "dpv:Personalisation",
        Purpose.TARGETED_ADS: "dpv:TargetedAdvertising",
        Purpose.POLITICAL_ADS: "dpv:Advertising",
        Purpose.SERVICE: "dpv:CommunicationManagement",
        Purpose.LEGAL_NOTICE: "dpv:CommunicationManagement",
        Purpose.DSR_RESPONSE: "dpv:CommunicationManagement",
        Purpose.RECONSENT: "dpv:CommunicationManagement",
        Purpose.DOI_CONFIRMATION: "dpv:CommunicationManagement",
        Purpose.OPTOUT_CONFIRMATION: "dpv:CommunicationManagement",
        Purpose.SUPPORT: "dpv:CommunicationForCustomerCare",
    }
)
"""DPV has no closer word than `dpv:Purpose` for the others."""

SENSITIVE: Final = frozenset(
    f"{category}{suffix}"
    for category in (
        "health", "sexual_orientation", "political_opinion", "religion", "trade_union", "genetic", "biometric",
        "ethnic_origin",
    )
    for suffix in ("", "_inferred")
) | {"precise_geolocation", "under16"}  # fmt: skip
"""The words of `policies/data/terms.json`."""

FREE: Final = frozenset({"evidence", "incentive", "product", "subject_ref"})
"""Members that may hold anything, or somebody else's id. A receipt doesn't repeat them."""
_WORD: Final = re.compile("[a-z]+([_-][a-z]+)*(_[A-Z]+)?|[A-Z]+")
NOT_STATED: Final = "not stated"
"""What a Kantara receipt has in a mandatory field of which the record says nothing."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What the log says of a record, signed, and the proof that it is in the log."""

    jws: str
    proof: str


class Told(Struct, frozen=True, kw_only=True):
    """A record, and what was registered when it arrived that it points to."""

    tenant: TenantId
    record: StoredRecord
    notice: Notice | None
    """The one registered version that the record can mean."""
    own_purpose: OwnPurpose | None


class UnknownRecord(DomainError):
    """The tenant has no such record, or it isn't the caller's."""

    code = "unknown_record"


class NotAConsent(DomainError):
    """The record says something else than that somebody consented."""

    code = "not_a_consent"


def shown(record: StoredRecord, versions: Sequence[Notice]) -> Notice | None:
    """Return which of the registered notices of its version a record means, or nothing if that isn't clear.

    What was not registered before it, or covers another purpose or channel, it doesn't mean.
    """
    said = record.statement
    channels = set(said.channel) if isinstance(said.channel, tuple) else {said.channel.value}
    meant = [
        notice
        for notice in versions
        if notice.content.version == said.notice_version
        and notice.created_at < record.received_at
        and (said.purpose is None or said.purpose in {"any", "all", *notice.content.purposes})
        and channels <= {"any", "all", *notice.content.channels}
    ]
    return meant[0] if len(meant) == 1 else None


def content(told: Told, origin: str) -> dict[str, Any]:
    """Return the record as JSON-LD."""
    record, said = told.record, told.record.statement
    members: dict[str, Any] = {
        "@context": dict(CONTEXT),
        "@id": f"urn:uuid:{record.id}",
        "@type": ["dpv:ConsentReceipt"],
        "dct:conformsTo": SCHEMA,
        "dpv:hasIdentifier": str(record.id),
        "dpv:hasDataSubject": {"@type": ["dpv:DataSubject"], "dpv:hasIdentifier": str(record.handle)},
        "dct:created": instant(record.received_at),
        "dct:creator": origin,
        "dct:language": language(told),
        "dpv:hasNotice": _notice(told),
        "dpv:hasProcess": [_process(told)],
        "volens:statement": statement(record),
    }
    missing = {
        "privacy_notice": told.notice is not None,
        "language": members["dct:language"] is not None,
        "purposes": said.purpose is not None,
        "pii_information": said.data_categories is not None,
        "collection_method": method(record) is not None,
        "storage_locations": False,
        "retention_period": False,
        "jurisdiction": False,
        "recipient_third_parties": said.named_recipients is not None,
        "withdrawal_method": False,
        "party_address": False,
        "party_contact": False,
        "validity_duration": said.expires_at is not None,
        "entity_id": by_whom(said.action) is not None,
        "event_type": said.explicit is True,
    }
    members["volens:notStated"] = [name for name, known in missing.items() if not known]
    return {name: value for name, value in members.items() if value is not None}


def statement(record: StoredRecord) -> dict[str, Any]:
    """Return what was recorded, word by word, without its free texts."""
    said = msgspec.to_builtins(record.statement)
    if method(record) is None:
        said.pop("method", None)
    return {name: value for name, value in sorted(said.items()) if name not in FREE}


def method(record: StoredRecord) -> str | None:
    """Return the method if it is a word such as `web_form`. It may be any text, and then isn't repeated."""
    said = record.statement.method
    return said if said is not None and _WORD.fullmatch(said) else None


def by_whom(action: Action) -> str | None:
    """Return who acted, as far as the kind of act says so."""
    if action is Action.PARENTAL_CONSENT:
        return "dpv:ParentOfDataSubject"
    return "dpv:DataSubject" if action in OWN_ACTS else None


def status(action: Action) -> str:
    return STATUS.get(action, UNKNOWN)


def category(told: Told) -> str:
    """Return DPV's word for the purpose; a purpose of the tenant's own is what it maps onto."""
    said = told.record.statement.purpose or ""
    return PURPOSES.get(told.own_purpose.maps_to if told.own_purpose else said, "dpv:Purpose")


def title(told: Told) -> str | None:
    """Return the purpose in words."""
    said = told.record.statement.purpose
    if said is None:
        return None
    return told.own_purpose.title if told.own_purpose and is_tenant_purpose(said) else said.replace("_", " ")


def controllers(told: Told) -> Sequence[str]:
    """Return who the record, or else the notice, says may rely on it. The tenant is one in any case."""
    named = told.record.statement.named_controllers
    if named is not None:
        return named
    return told.notice.content.controllers if told.notice else ()


def language(told: Told) -> str | None:
    """Return the language that was shown, where there was only one."""
    texts = list(told.notice.content.texts) if told.notice else []
    return texts[0] if len(texts) == 1 else None


def instant(at: datetime) -> str:
    """Return RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _notice(told: Told) -> list[dict[str, Any]] | None:
    version = told.record.statement.notice_version
    if version is None:
        return None
    named: dict[str, Any] = {"@type": ["dpv:ConsentNotice"], "dct:hasVersion": version}
    if told.notice is not None:
        named["dpv:hasIdentifier"] = told.notice.content.notice
        named["dct:language"] = sorted(told.notice.content.texts)
        named["volens:sha256"] = told.notice.sha256.hex()
    return [named]


def _process(told: Told) -> dict[str, Any]:
    said = told.record.statement
    label = title(told)
    now = status(said.action)
    state: dict[str, Any] = {
        "@type": [now, "dpv:ExplicitlyExpressedConsent"] if now == GIVEN and said.explicit else [now],
        "dpv:isIndicatedAtTime": instant(said.happened_at),
        "dpv:isIndicatedBy": by_whom(said.action),
        "dpv:hasIndicationMethod": method(told.record),
        "dpv:hasDuration": None
        if said.expires_at is None
        else {"@type": ["dpv:UntilTimeDuration"], "rdf:value": instant(said.expires_at)},
    }
    process: dict[str, Any] = {
        "@type": ["dpv:Process"],
        "dpv:hasPurpose": None
        if label is None
        else [
            {
                "@type": ["dpv:Purpose"],
                "dct:identifier": said.purpose,
                "skos:broader": [category(told)],
                "skos:prefLabel": label,
            }
        ],
        "dpv:hasPersonalData": _named("dpv:PersonalData", "skos:prefLabel", said.data_categories),
        "dpv:hasDataController": [
            {"@type": ["dpv:DataController"], "dpv:hasIdentifier": told.tenant},
            *(_named("dpv:DataController", "dpv:hasName", controllers(told)) or ()),
        ],
        "dpv:hasRecipient": _named("dpv:Recipient", "dpv:hasName", said.named_recipients),
        "dpv:hasLegalBasis": ["dpv:Consent"] if now in OF_CONSENT else None,
        "dpv:hasConsentStatus": [{name: value for name, value in state.items() if value is not None}],
    }
    return {name: value for name, value in process.items() if value is not None}


def _named(kind: str, by: str, names: Sequence[str] | None) -> list[dict[str, Any]] | None:
    return None if names is None else [{"@type": [kind], by: name} for name in names]
