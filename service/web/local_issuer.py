"""An issuer of our own, for `volens up` and `volens token`: one machine, no identity provider.

Its Ed25519 key lies in the data directory. Whoever can read that file is every tenant, so
it must be readable by its owner alone.
"""

import base64
import hashlib
import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from service.kernel import NewId
from service.own_files import FileUnusable, make_own, read_own
from service.web.issuers import LOCAL, IssuerSettings

CLIENT: Final = "volens-cli"
"""Whom a token speaks for where nobody is named."""
KEY_FILE: Final = "issuer.key.pem"
JWKS_FILE: Final = "issuer.jwks.json"


class LocalIssuer:
    """Signs access tokens for any tenant."""

    def __init__(self, key: Ed25519PrivateKey, jwks: Path, audience: str) -> None:
        self._key = key
        self._jwks = jwks
        self._audience = audience
        self._id = thumbprint(key)

    @classmethod
    def open(cls, directory: Path, audience: str) -> "LocalIssuer":
        """Return the issuer whose key lies in `directory`, making key and JWKS if they are missing.

        Raises:
            FileExposed: the key's mode lets others in, or it belongs to another user.
            FileUnusable
        """
        place = directory / KEY_FILE
        if not place.exists():
            _make(place)
        issuer = cls(_read(place), directory / JWKS_FILE, audience)
        issuer._publish()
        return issuer

    @property
    def settings(self) -> IssuerSettings:
        return IssuerSettings(issuer=LOCAL, jwks=str(self._jwks))

    def sign(
        self,
        *,
        tenant: str,
        scope: str,
        subject: str,
        ttl: timedelta,
        now: datetime,
        new_id: NewId,
        client: str = CLIENT,
    ) -> str:
        """Return a token for `subject`: a person's id under the scope `self`, else the name of a client."""
        issued = int(now.timestamp())
        claims = {
            "iss": LOCAL,
            "aud": self._audience,
            "sub": subject,
            "client_id": client,
            "tenant": tenant,
            "scope": scope,
            "iat": issued,
            "exp": issued + int(ttl.total_seconds()),
            "jti": str(new_id()),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": self._id})

    def _publish(self) -> None:
        entry = {"kty": "OKP", "crv": "Ed25519", "x": _public(self._key), "kid": self._id, "alg": "EdDSA", "use": "sig"}
        document = msgspec.json.encode({"keys": [entry]})
        if not self._jwks.exists() or self._jwks.read_bytes() != document:
            descriptor, draft = tempfile.mkstemp(dir=self._jwks.parent, prefix=".jwks-")
            with os.fdopen(descriptor, "wb") as file:
                file.write(document)
            os.replace(draft, self._jwks)


def thumbprint(key: Ed25519PrivateKey) -> str:
    """Return the key's id: its JWK thumbprint (RFC 7638, RFC 8037 §2)."""
    members = msgspec.json.encode({"crv": "Ed25519", "kty": "OKP", "x": _public(key)}, order="sorted")
    return _base64url(hashlib.sha256(members).digest())


def _make(place: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    make_own(place, pem)


def _read(place: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(read_own(place), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise FileUnusable(f"{place.name} holds no Ed25519 key")
    return key


def _public(key: Ed25519PrivateKey) -> str:
    return _base64url(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
