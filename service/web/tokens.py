"""What makes an access token acceptable: RFC 9068, under the rules of RFC 8725.

No key and no network here. PyJWT checks signatures (`web/auth.py`); everything it lets
pass and we must not is refused in this module: a wrong ``typ``, an ``exp`` that is a
string, members given twice, `crit`, base64url with strays, a missing scope, size.
"""

import base64
import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.kernel import SubjectId, SubjectRef, TenantId, TenantName
from service.web.failures import Why

MAX_TOKEN: Final = 8 * 1024
LEEWAY: Final = 30
"""Seconds by which clocks may differ."""
SELF: Final = "self"

_TYPES = frozenset({"at+jwt", "application/at+jwt"})
_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_ACTOR = re.compile(r"[A-Za-z0-9._:/|-]{1,128}")
"""Goes into logs and the audit, so it has no room for an address."""
_END_OF_TIME = 253_402_300_800  # 10000-01-01


class Unacceptable(Exception):
    """A token is refused. The message is one of our sentences, never text of the token."""

    def __init__(self, message: str, why: Why = Why.MALFORMED) -> None:
        super().__init__(message)
        self.why = why


class Unverified(Struct, frozen=True):
    """What a token says about itself; only good for finding the key to check it with."""

    issuer: str
    key_id: str
    algorithm: str
    claims: dict[str, Any]


class Grant(Struct, frozen=True, kw_only=True):
    """What a verified token entitles its bearer to."""

    tenant: TenantId
    actor: str
    scopes: frozenset[str]
    subject: SubjectId | None
    expires: float


def unverified(token: bytes) -> Unverified:
    """Return what `token` claims, before its signature is checked.

    Raises:
        Unacceptable: it can't be an access token, whatever its signature.
    """
    if len(token) > MAX_TOKEN:
        raise Unacceptable("The token is larger than 8 KiB.")
    if not _COMPACT.fullmatch(token):
        raise Unacceptable("The token is not a signed JWT.")
    header_segment, payload_segment, _ = token.split(b".")
    header, claims = _members_of(header_segment), _members_of(payload_segment)
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unacceptable("The token is not of type at+jwt.")
    if "crit" in header or "b64" in header:
        raise Unacceptable("The token has critical header parameters.")
    return Unverified(
        issuer=_text(claims, "iss"), key_id=_text(header, "kid"), algorithm=_text(header, "alg"), claims=claims
    )


def grant(claims: dict[str, Any], *, audience: str, tenant_claim: str, bound_to: str | None, now: float) -> Grant:
    """Return what verified `claims` entitle to, at `now` in seconds since 1970.

    `bound_to` is the tenant its issuer may speak for; ``None`` trusts the claim.

    Raises:
        Unacceptable: a claim is missing, malformed, or not meant for us or this moment.
    """
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if expires + LEEWAY <= now:
        raise Unacceptable("The token has expired.", Why.EXPIRED)
    if issued - LEEWAY > now or ("nbf" in claims and _time(claims, "nbf") - LEEWAY > now):
        raise Unacceptable("The token is not valid yet.", Why.NOT_YET)
    if audience not in _audiences(claims.get("aud")):
        raise Unacceptable("The token is for another audience.", Why.AUDIENCE)
    _text(claims, "jti")
    subject, client = _text(claims, "sub"), _text(claims, "client_id")
    scopes = _scopes(claims)
    tenant = _tenant(claims.get(tenant_claim), bound_to)
    if SELF not in scopes:
        if not _ACTOR.fullmatch(client):
            raise Unacceptable("The token's client_id is not usable.")
        return Grant(tenant=tenant, actor=client, scopes=scopes, subject=None, expires=expires + LEEWAY)
    try:
        own = SubjectId(msgspec.convert(subject, SubjectRef))
    except msgspec.ValidationError:
        raise Unacceptable("The token's sub is not a subject.") from None
    return Grant(tenant=tenant, actor=SELF, scopes=frozenset({SELF}), subject=own, expires=expires + LEEWAY)


def tenant_of(claims: dict[str, Any], *, tenant_claim: str, bound_to: str | None) -> TenantId | None:
    """Return for which tenant verified `claims` speak, whatever else is wrong with them; ``None`` if for none."""
    try:
        return _tenant(claims.get(tenant_claim), bound_to)
    except Unacceptable:
        return None


def _members_of(segment: bytes) -> dict[str, Any]:
    try:
        text = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)).decode()
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Unacceptable("The token is not a signed JWT.") from None
    if not isinstance(value, dict):
        raise Unacceptable("The token is not a signed JWT.")
    return value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 1024:
        raise Unacceptable(f"The token has no usable `{name}`.")
    return value


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unacceptable(f"The token has no usable `{name}`.")
    if not (math.isfinite(value) and 0 <= value < _END_OF_TIME):
        raise Unacceptable(f"The token has no usable `{name}`.")
    return float(value)


def _audiences(claim: Any) -> list[str]:
    if isinstance(claim, str):
        return [claim]
    if isinstance(claim, list) and all(isinstance(audience, str) for audience in claim):
        return claim
    raise Unacceptable("The token has no usable `aud`.")


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    scope = _text(claims, "scope")
    if not _SCOPE.fullmatch(scope):
        raise Unacceptable("The token has no usable `scope`.")
    return frozenset(scope.split(" "))


def _tenant(claim: Any, bound_to: str | None) -> TenantId:
    if claim is None and bound_to is not None:
        return TenantId(bound_to)
    try:
        tenant = TenantId(msgspec.convert(claim, TenantName))
    except msgspec.ValidationError:
        raise Unacceptable("The token names no usable tenant.", Why.TENANT) from None
    if bound_to not in (None, tenant):
        raise Unacceptable("The issuer may not speak for this tenant.", Why.TENANT)
    return tenant
