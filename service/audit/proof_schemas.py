"""Proofs on the wire. An answer is a file for the verifier as it stands."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from service.audit.domain import Consistency


class ConsistencyView(Struct, frozen=True, kw_only=True):
    """That the older of two trees is the beginning of the newer."""

    format: Literal["volens-audit-consistency/v1"] = "volens-audit-consistency/v1"
    old: str
    """A signed checkpoint."""
    new: str
    """A signed checkpoint."""
    proof: list[str]
    """Hashes in hexadecimal digits (RFC 9162, section 2.1.4)."""

    @classmethod
    def of(cls, proved: Consistency) -> "ConsistencyView":
        return cls(old=proved.old, new=proved.new, proof=[node.hex() for node in proved.hashes])


class TimestampView(Struct, frozen=True, kw_only=True):
    """When a time-stamp authority saw what the log had signed."""

    format: Literal["volens-timestamp/v1"] = "volens-timestamp/v1"
    checkpoint: str
    """Signed. The token is over the SHA-256 of it as the log signed it, without lines of witnesses."""
    token: str
    """A DER TimeStampResp (RFC 3161) in base64."""


class LogKeyView(Struct, frozen=True, kw_only=True):
    """The public half of a key of the log, or of its receipts."""

    verifier_key: str
    """As in c2sp.org/signed-note. Keys of receipts have the name of the log and `/receipts`."""
    public: str
    """Ed25519, 32 bytes, in base64."""
    since: datetime


class LogKeysView(Struct, frozen=True, kw_only=True):
    """The keys of a log, the oldest first."""

    origin: str
    """The name under which the log signs."""
    keys: list[LogKeyView]
