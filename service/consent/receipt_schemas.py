"""Receipts on the wire."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from service.consent.receipts import (
    NOT_STATED,
    SENSITIVE,
    Receipt,
    Told,
    category,
    controllers,
    instant,
    language,
    method,
    title,
)


class ReceiptView(Struct, frozen=True, kw_only=True):
    """A receipt: a file for `volens audit verify` as it stands."""

    format: Literal["volens-receipt/v1"] = "volens-receipt/v1"
    receipt: str
    """A JWS in its compact form, EdDSA, of type `consent-receipt+jwt`."""
    proof: str
    """That the audit entry of the record is in the signed tree (c2sp.org/tlog-proof), with entry and checkpoint."""

    @classmethod
    def of(cls, issued: Receipt) -> "ReceiptView":
        return cls(receipt=issued.jws, proof=issued.proof)


class KantaraController(Struct, frozen=True, kw_only=True):
    """Who may rely on the consent."""

    controller: str = field(name="piiController")
    contact: str = NOT_STATED
    address: dict[str, str]
    email: str = NOT_STATED
    phone: str = NOT_STATED


class KantaraPurpose(Struct, frozen=True, kw_only=True):
    """What the consent is for."""

    purpose: str
    categories: list[str] = field(name="purposeCategory")
    """In terms of DPV."""
    consent_type: Literal["EXPLICIT", "IMPLICIT"] = field(name="consentType")
    """`EXPLICIT` only where the record says so."""
    pii_categories: list[str] = field(name="piiCategory")
    termination: str
    disclosure: bool = field(name="thirdPartyDisclosure")
    third_parties: str | UnsetType = field(name="thirdPartyName", default=UNSET)


class KantaraService(Struct, frozen=True, kw_only=True):
    service: str
    purposes: list[KantaraPurpose]


class KantaraReceipt(Struct, frozen=True, kw_only=True):
    """A consent receipt of Kantara 1.1. It is not signed. What the record doesn't say is `not stated`."""

    version: Literal["KI-CR-v1.1.0"] = "KI-CR-v1.1.0"
    jurisdiction: str = NOT_STATED
    consented_at: int = field(name="consentTimestamp")
    """Seconds since 1970, UTC."""
    collection_method: str = field(name="collectionMethod")
    receipt_id: str = field(name="consentReceiptID")
    language: str | UnsetType = UNSET
    principal: str = field(name="piiPrincipalId")
    controllers: list[KantaraController] = field(name="piiControllers")
    policy_url: str = field(name="policyUrl")
    """The path of the notice, at this service."""
    services: list[KantaraService]
    sensitive: bool
    sensitive_categories: list[str] = field(name="spiCat")

    @classmethod
    def of(cls, told: Told) -> "KantaraReceipt":
        record, said = told.record, told.record.statement
        data = said.data_categories or ()
        notice = told.notice.content if told.notice else None
        purpose = KantaraPurpose(
            purpose=title(told) or NOT_STATED,
            categories=[category(told)],
            consent_type="EXPLICIT" if said.explicit else "IMPLICIT",
            pii_categories=list(data),
            termination=NOT_STATED if said.expires_at is None else instant(said.expires_at),
            disclosure=bool(said.named_recipients),
            third_parties=", ".join(said.named_recipients) if said.named_recipients else UNSET,
        )
        return cls(
            consented_at=int(said.happened_at.timestamp()),
            collection_method=method(record) or NOT_STATED,
            receipt_id=str(record.id),
            language=language(told) or UNSET,
            principal=str(record.handle),
            controllers=[
                KantaraController(controller=name, address={"streetAddress": NOT_STATED})
                for name in controllers(told) or [told.tenant]
            ],
            policy_url=f"/v1/notices/{notice.notice}/versions/{notice.version}" if notice else NOT_STATED,
            services=[KantaraService(service=said.brand or told.tenant, purposes=[purpose])],
            sensitive=not SENSITIVE.isdisjoint(data),
            sensitive_categories=[each for each in data if each in SENSITIVE],
        )
