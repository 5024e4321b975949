"""An issuer of our own, for `volens up` and `volens token`: one machine, no identity provider.

Its Ed25519 key lies in the data directory. Whoever can read that file is every tenant, so
it must be readable by its owner alone.
"""

import base64
import contextlib
import hashlib
import os
import stat
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
from service.web.keys import IssuerSettings

ISSUER: Final = "https://local.volens.example"
KEY_FILE: Final = "issuer.key.pem"
JWKS_FILE: Final = "issuer.jwks.json"


class KeyExposed(Exception):
    """The key file can be read or written by others than its owner."""


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
            KeyExposed: the key's mode lets others in, or it belongs to another user.
        """
        place = directory / KEY_FILE
        if not place.exists():
            _make(place)
        issuer = cls(_read(place), directory / JWKS_FILE, audience)
        issuer._publish()
        return issuer

    @property
    def settings(self) -> IssuerSettings:
        return IssuerSettings(issuer=ISSUER, jwks=str(self._jwks))

    def sign(
        self,
        *,
        tenant: str,
        scope: str,
        subject: str,
        ttl: timedelta,
        now: datetime,
        new_id: NewId,
        client: str = "volens-cli",
    ) -> str:
        """Return a token for `subject`: a person's id under the scope `self`, else the name of a client."""
        issued = int(now.timestamp())
        claims = {
            "iss": ISSUER,
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
    """Write a new key, whole or not at all: of two processes that make one, the first to finish wins."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=place.parent, prefix=".issuer-")  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, place)
    os.unlink(draft)


def _read(place: Path) -> Ed25519PrivateKey:
    with place.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
            raise KeyExposed(f"{place.name} must belong to the user who runs Volens, with mode 0600")
        key = load_pem_private_key(file.read(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyExposed(f"{place.name} holds no Ed25519 key")
    return key


def _public(key: Ed25519PrivateKey) -> str:
    return _base64url(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
