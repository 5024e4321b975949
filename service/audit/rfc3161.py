"""Time-stamps of RFC 3161. Needs the extra `timestamps`."""

from datetime import datetime
from typing import Final

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from service.audit.findings import Kind, Wrong

REQUEST: Final = "application/timestamp-query"
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


class Authorities:
    """Believes the time-stamp authorities whose certificates lead to one of these roots."""

    def __init__(self, roots: list[x509.Certificate]) -> None:
        self._roots = roots

    @classmethod
    def of(cls, pem: bytes) -> "Authorities":
        """Return those with a root in `pem`. Raises ValueError: it holds no certificate."""
        return cls(x509.load_pem_x509_certificates(pem))

    @property
    def media_type(self) -> str:
        return REQUEST

    def request(self, message: bytes) -> tuple[bytes, int]:
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        if request.nonce is None:
            raise ValueError("a request needs a nonce")
        return request.as_bytes(), request.nonce

    def judge(self, token: bytes, message: bytes, nonce: int | None = None) -> datetime:
        """Return when the token says that it saw the message. Without a nonce, it may answer any request.

        Raises:
            Wrong: it doesn't hold, or no authority that is believed made it.
        """
        verifier = VerifierBuilder(roots=self._roots, nonce=nonce).build()
        try:
            response = decode_timestamp_response(token)
            verifier.verify_message(response, message)
            if response.tst_info.message_imprint.hash_algorithm != _SHA256:
                raise Wrong(Kind.TIMESTAMP, "it is over another hash than SHA-256")
            return response.tst_info.gen_time
        except (VerificationError, ValueError) as error:
            raise Wrong(Kind.TIMESTAMP, str(error)) from None
