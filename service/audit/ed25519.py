"""Ed25519 signatures, verification only: RFC 8032, section 5.1, strictly.

For machines that have nothing but Python. There are no secrets here, so it may take its time: 2 to 3 ms.
"""

from __future__ import annotations

import hashlib

from service.audit.findings import Kind, Wrong

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]
"""(X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z (5.1.4)."""
_NEUTRAL = (0, 1, 1, 0)


def _add(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _point(encoded: bytes) -> _Point:
    """Decode a point (5.1.3). Another spelling of the same point is refused."""
    if len(encoded) != 32:
        raise Wrong(Kind.SIGNATURE, "a public key has 32 bytes")
    number = int.from_bytes(encoded, "little")
    y, odd = number % 2**255, number >> 255
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(x_squared, (_P + 3) // 8, _P)
    if x * x % _P != x_squared:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if y >= _P or x * x % _P != x_squared or (x == 0 and odd):
        raise Wrong(Kind.SIGNATURE, "the public key is no point of the curve")
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def verify_public_key(public: bytes) -> None:
    """Raise `Wrong` unless `public` is the one spelling of a point that is not of small order."""
    point = _point(public)
    for _ in range(3):
        point = _add(point, point)
    if point[0] == 0:
        raise Wrong(Kind.SIGNATURE, "with this public key, every signature would hold")


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise `Wrong` unless S is below the group's order, and [S]B - [k]A is encoded as R (5.1.7, without cofactor)."""
    x, y, z, t = _point(public)
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= _ORDER:
        raise Wrong(Kind.SIGNATURE, "not an Ed25519 signature")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    minus_key = (-x % _P, y, z, -t % _P)
    addends = (_NEUTRAL, _BASE, minus_key, _add(_BASE, minus_key))
    total = _NEUTRAL
    for bit in range(252, -1, -1):
        total = _add(total, total)
        total = _add(total, addends[(s >> bit & 1) + 2 * (k >> bit & 1)])
    inverse = pow(total[2], -1, _P)
    x, y = total[0] * inverse % _P, total[1] * inverse % _P
    if (y | (x & 1) << 255).to_bytes(32, "little") != signature[:32]:
        raise Wrong(Kind.SIGNATURE, "the signature does not fit what is signed")
