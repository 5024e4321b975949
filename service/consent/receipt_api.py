from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from service.consent.issuing import ExportReceipt, IssueReceipt
from service.consent.receipt_schemas import KantaraReceipt, ReceiptView
from service.consent.receipts import NotAConsent, UnknownRecord
from service.kernel import Caller, DomainError
from service.web.auth import needs
from service.web.problems import documented

RECEIPT_STATUS: Final[Mapping[type[DomainError], int]] = {
    NotAConsent: HTTPStatus.CONFLICT,
    UnknownRecord: HTTPStatus.NOT_FOUND,
}

Form = Annotated[
    Literal["signed", "kantara"],
    QueryParameter(description="`kantara`: the fields of Kantara 1.1 instead, for a record of a consent. Not signed."),
]


class ReceiptController(Controller):
    """Give people proof of what they said."""

    path = "/v1/records"
    tags = ("Records",)

    @get(
        "/{record:uuid}/receipt",
        operation_id="readReceipt",
        opt=needs("records:read", own=True),
        responses=documented(404, 409),
    )
    async def receipt(
        self,
        request: Request[Caller, Any, Any],
        record: FromPath[UUID],
        issue_receipt: NamedDependency[IssueReceipt],
        export_receipt: NamedDependency[ExportReceipt],
        form: Form = "signed",
    ) -> ReceiptView | KantaraReceipt:
        """Read the signed receipt of a record, with the proof that the record is in the audit log.

        It follows ISO/IEC TS 27560 in terms of DPV, as JSON-LD in the claim `record`. Keep the answer as it is: with
        the keys of `/.well-known/volens/log-keys` anybody can verify it, without asking us. A record is in the log
        within seconds; until then the answer is 409.

        With their own token people read the receipts of their own records.
        """
        if form == "kantara":
            return KantaraReceipt.of(await export_receipt(record, by=request.user))
        return ReceiptView.of(await issue_receipt(record, by=request.user))
