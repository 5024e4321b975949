"""The issuers of tokens that the settings name."""

from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

LOCAL: Final = "https://local.volens.example"
"""The issuer of our own."""


class IssuerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token issuer we trust."""

    issuer: str
    """The exact `iss` of its tokens."""
    jwks: str
    """Where its public keys are: an https URL (http on this machine only), or a file."""
    tenant: str | None = None
    """The one tenant it may speak for; unset: any."""

    def __post_init__(self) -> None:
        if not self.issuer or not self.jwks:
            raise ValueError("an issuer needs a name and a place for its keys")
        place = urlsplit(self.jwks)
        if place.scheme == "http" and place.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError("keys are fetched by https only")
