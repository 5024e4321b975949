"""The certificates of OpenDSR processors, and what is signed by them."""

import binascii
from base64 import b64decode
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from service.downstreams.domain import DownstreamUnusable, SignatureRefused

LEAST = 2048
"""Bits of an RSA key that count."""


class Certificates:
    """Judges by the certificate that was registered, and by no other that might be shown."""

    def check(self, pem: str, domain: str, now: datetime) -> None:
        """Refuse a certificate that nothing can be signed by.

        Raises:
            DownstreamUnusable
        """
        try:
            _key(pem, domain, now)
        except ValueError as error:
            raise DownstreamUnusable(str(error), pointers=["/certificate"]) from None

    def verify(self, pem: str, domain: str, signature: str, body: bytes, now: datetime) -> None:
        """Return if `body` is signed by the certificate, which is in force.

        Raises:
            SignatureRefused: for every failure alike.
        """
        try:
            key = _key(pem, domain, now)
            key.verify(b64decode("".join(signature.split()), validate=True), body, PKCS1v15(), SHA256())
        except (ValueError, binascii.Error, InvalidSignature):
            raise SignatureRefused("the message is not signed by this system's certificate") from None


def _key(pem: str, domain: str, now: datetime) -> RSAPublicKey:
    """Return the key of a certificate. Raises ValueError, with a message that quotes nothing."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key = certificate.public_key()
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        raise ValueError("this is no certificate with the name of a domain") from None
    if domain not in names.get_values_for_type(x509.DNSName):
        raise ValueError("the certificate names another domain")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ValueError("the certificate is not in force")
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST:
        raise ValueError(f"the certificate has no RSA key of {LEAST} bits or more")
    return key
