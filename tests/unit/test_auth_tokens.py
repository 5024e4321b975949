"""Which tokens are accepted: RFC 9068 under the rules of RFC 8725, attack by attack."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.web.auth import Authenticator
from service.web.problems import Refusal
from service.web.tokens import Unacceptable, unverified
from tests.toy_site import (
    AUDIENCE,
    EC,
    ED,
    ISSUER,
    NOON,
    RSA,
    SHORT_RSA,
    STRANGER,
    Clock,
    Issuer,
    claims,
    jwk,
    ring_of,
    token,
    toy_site,
)

NOW = int(NOON.timestamp())
KEYS = [jwk(ED, "ed"), jwk(RSA, "rsa"), jwk(RSA, "pss", alg="PS256"), jwk(EC, "ec")]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(toy_site(ring=ring_of(Issuer(*KEYS), Clock()))) as client:
        yield client


def ask(client: TestClient, text: str) -> Any:
    return client.get("/v1/toys", headers={"authorization": f"Bearer {text}"})


def segment(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: dict[str, Any], payload: Any, signature: bytes = b"x") -> str:
    return f"{segment(header)}.{segment(payload)}.{segment(signature)}"


def signed(header: dict[str, Any], payload: bytes) -> str:
    """Sign what no library would."""
    text = f"{segment(header)}.{segment(payload)}"
    return f"{text}.{segment(ED.sign(text.encode()))}"


HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"}


def confused(algorithm: str = "HS256") -> str:
    """Sign with the public key as if it were a shared secret."""
    secret = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{segment({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'rsa'})}.{segment(claims())}"
    return f"{text}.{segment(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def tampered() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{segment(claims(tenant='other'))}.{signature}"


@pytest.mark.parametrize(
    "made",
    [
        pytest.param({}, id="EdDSA"),
        pytest.param({"key": RSA, "algorithm": "RS256", "kid": "rsa"}, id="RS256"),
        pytest.param({"key": RSA, "algorithm": "PS256", "kid": "pss"}, id="PS256"),
        pytest.param({"key": EC, "algorithm": "ES256", "kid": "ec"}, id="ES256"),
        pytest.param({"typ": "application/at+jwt"}, id="type with its prefix"),
        pytest.param({"typ": "AT+JWT"}, id="type in capitals"),
        pytest.param({"aud": ["other", AUDIENCE]}, id="one of several audiences"),
        pytest.param({"exp": NOW - 29}, id="expired within the leeway"),
        pytest.param({"iat": NOW + 29}, id="issued within the leeway"),
        pytest.param({"nbf": NOW + 29}, id="valid within the leeway"),
        pytest.param({"exp": NOW + 0.5}, id="a fraction of a second"),
    ],
)
def test_a_good_token_is_accepted(client: TestClient, made: dict[str, Any]):
    assert ask(client, token(**made)).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(forged({"alg": "none", "typ": "at+jwt", "kid": "ed"}, claims(), b""), id="no signature segment"),
        pytest.param(forged({"alg": "none", "typ": "at+jwt", "kid": "ed"}, claims()), id="algorithm none"),
        pytest.param(forged({"alg": "None", "typ": "at+jwt", "kid": "ed"}, claims()), id="algorithm None"),
        pytest.param(confused(), id="HS256 with the public key"),
        pytest.param(token(RSA, "PS256", "rsa"), id="PS256 with a key for RS256"),
        pytest.param(token(RSA, "RS256", "pss"), id="RS256 with a key for PS256"),
        pytest.param(token(RSA, "RS512", "rsa"), id="RS512"),
        pytest.param(token(RSA, "RS256", "ec"), id="an EC key for RS256"),
        pytest.param(token(EC, "ES256", "rsa"), id="an RSA key for ES256"),
        pytest.param(token(STRANGER), id="another's key under a known id"),
        pytest.param(token(STRANGER, kid="stranger"), id="unknown key"),
        pytest.param(token(kid=None), id="no key id"),
        pytest.param(token(kid="../../etc/passwd"), id="key id as a path"),
        pytest.param(token(kid="https://evil.example/jwks"), id="key id as an address"),
        pytest.param(token(kid="' OR 1=1 --"), id="key id as a query"),
        pytest.param(tampered(), id="claims changed after signing"),
        pytest.param(token()[:-4] + "AAAA", id="signature changed"),
        pytest.param(token() + "=", id="padding"),
        pytest.param(token().replace(".", ".\u200b", 1), id="a stray character"),
        pytest.param(token() + ".x", id="four segments"),
        pytest.param(token().rpartition(".")[0], id="two segments"),
        pytest.param("swordfish", id="no token at all"),
        pytest.param(token(typ=None), id="no type"),
        pytest.param(token(typ="JWT"), id="an ID token"),
        pytest.param(token(typ="dpop+jwt"), id="another type"),
        pytest.param(token(iss="https://evil.example"), id="unknown issuer"),
        pytest.param(token(iss=ISSUER + "/"), id="issuer with a slash too many"),
        pytest.param(token(iss=None), id="no issuer"),
        pytest.param(token(iss=[ISSUER]), id="issuer as a list"),
        pytest.param(token(aud="other"), id="another audience"),
        pytest.param(token(aud=None), id="no audience"),
        pytest.param(token(aud=[]), id="empty audience"),
        pytest.param(token(aud=[AUDIENCE, 7]), id="audience with a number"),
        pytest.param(token(aud={AUDIENCE: True}), id="audience as an object"),
        pytest.param(token(exp=NOW - 30), id="expired"),
        pytest.param(token(exp=None), id="no expiry"),
        pytest.param(token(iat=NOW + 31), id="issued in the future"),
        pytest.param(token(iat=None), id="no time of issue"),
        pytest.param(token(nbf=NOW + 31), id="not valid yet"),
        pytest.param(token(jti=None), id="no token id"),
        pytest.param(token(client_id=None), id="no client"),
        pytest.param(token(client_id="Ada Lovelace"), id="a client that is a name"),
        pytest.param(token(client_id="ada@mail.example"), id="a client that is an address"),
        pytest.param(token(sub=None), id="no subject"),
        pytest.param(token(scope=None), id="no scope"),
        pytest.param(token(scope=""), id="empty scope"),
        pytest.param(token(scope=["records:read"]), id="scope as a list"),
        pytest.param(token(scope=" records:read"), id="scope with a stray space"),
        pytest.param(token(tenant=None), id="no tenant"),
        pytest.param(token(tenant="ACME"), id="tenant in capitals"),
        pytest.param(token(tenant="acme\n"), id="tenant with a newline"),
        pytest.param(token(tenant=["acme"]), id="tenant as a list"),
        pytest.param(token(scope="self", sub="lovelace@mail.example"), id="own token whose subject is an address"),
        pytest.param(token(padding="x" * 9000), id="larger than 8 KiB"),
        *(
            pytest.param(signed(HEADER, json.dumps({**claims(), name: value}).encode()), id=f"{name} is {value!r}")
            for name in ("exp", "iat", "nbf")
            for value in (str(NOW), True, [NOW], None, float("nan"), float("inf"), 1e300, -1)
        ),
        pytest.param(signed({**HEADER, "crit": ["exp"]}, json.dumps(claims()).encode()), id="critical header"),
        pytest.param(signed({**HEADER, "b64": False}, json.dumps(claims()).encode()), id="unencoded payload"),
        pytest.param(
            signed(HEADER, json.dumps(claims()).encode()[:-1] + b', "tenant": "other"}'), id="a claim given twice"
        ),
        pytest.param(signed(HEADER, b"[1]"), id="claims as a list"),
        pytest.param(signed(HEADER, b"[" * 5000), id="claims as a depth bomb"),
        pytest.param(signed(HEADER, b"\xff\xfe"), id="claims in no encoding"),
        pytest.param(signed(HEADER, b'{"exp":' + b"9" * 5000 + b"}"), id="endless digits"),
    ],
)
def test_an_attack_is_refused_with_a_challenge(client: TestClient, text: str):
    answer = client.get("/v1/toys", headers={"authorization": f"Bearer {text}".encode()})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert text not in answer.text


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        pytest.param([], "Bearer", id="none"),
        pytest.param([("authorization", "Basic dXNlcjpwYXNz")], "Bearer", id="another scheme"),
        pytest.param([("authorization", "Bearer")], "Bearer", id="a scheme alone"),
        pytest.param([("authorization", token())], "Bearer", id="no scheme"),
        pytest.param([("authorization", f"Bearer  {token()}")], 'Bearer error="invalid_token"', id="two spaces"),
        pytest.param([("authorization", f"Bearer {token()}, Bearer x")], 'Bearer error="invalid_token"', id="a list"),
        pytest.param([("x-authorization", f"Bearer {token()}")], "Bearer", id="another header"),
    ],
)  # fmt: skip
def test_there_must_be_exactly_one_bearer_token(client: TestClient, headers: list[tuple[str, str]], challenge: str):
    answer = client.get("/v1/toys", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith(challenge)


async def test_two_authorization_headers_are_none():
    clock = Clock()
    known = Authenticator(ring_of(Issuer(jwk(ED, "ed")), clock), clock, audience=AUDIENCE)
    header = (b"authorization", f"Bearer {token()}".encode())

    with pytest.raises(Refusal) as refused:
        await known.caller([header, header], "r")

    assert refused.value.headers["www-authenticate"].startswith('Bearer error="invalid_request"')


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_may_be_written_in_any_case(client: TestClient, scheme: str):
    assert client.get("/v1/toys", headers={"authorization": f"{scheme} {token()}"}).status_code == 200


def test_a_token_in_the_query_is_none(client: TestClient):
    assert client.get(f"/v1/toys?access_token={token()}").status_code == 401


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(jwk(SHORT_RSA, "bad"), id="RSA with 1024 bits"),
        pytest.param({"kty": "oct", "kid": "bad", "k": segment(b"s" * 32), "alg": "HS256"}, id="a shared secret"),
        pytest.param({**jwk(EC, "bad"), "crv": "P-384"}, id="a wrong curve"),
        pytest.param(jwk(ED, "bad", use="enc"), id="for encryption"),
        pytest.param(jwk(ED, "bad", key_ops=["sign"]), id="for signing"),
        pytest.param(jwk(RSA, "bad", alg="RS512"), id="for another algorithm"),
        pytest.param(jwk(RSA, "bad", alg="none"), id="for no algorithm"),
        pytest.param(jwk(RSA, "bad", alg=["RS256"]), id="algorithm as a list"),
        pytest.param({**jwk(ED, "bad"), "d": segment(b"s" * 32)}, id="a private key"),
        pytest.param({"kid": "bad"}, id="no key"),
        pytest.param({**jwk(RSA, "bad"), "n": "!"}, id="no number"),
        pytest.param({**jwk(ED, "bad"), "x": segment(b"short")}, id="a short key"),
    ],
)
def test_an_unsuitable_key_verifies_nothing_and_spoils_no_other(key: dict[str, Any]):
    private, algorithm = {"RSA": (RSA, "RS256"), "EC": (EC, "ES256")}.get(str(key.get("kty")), (ED, "EdDSA"))
    if key == jwk(SHORT_RSA, "bad"):
        private = SHORT_RSA
    with TestClient(toy_site(ring=ring_of(Issuer(key, jwk(ED, "ed")), Clock()))) as client:
        with pytest.warns(jwt.InsecureKeyLengthWarning) if private is SHORT_RSA else _nothing():
            attack = token(private, algorithm, "bad")
        refused, accepted = ask(client, attack), ask(client, token())

    assert (refused.status_code, accepted.status_code) == (401, 200)


class _nothing:  # noqa: N801  reads as a word beside `pytest.warns`
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def test_a_secret_of_a_key_set_is_not_taken_for_a_key():
    secret = b"s" * 32
    keys = Issuer({"kty": "oct", "kid": "bad", "k": segment(secret), "alg": "HS256"}, jwk(ED, "ed"))
    with TestClient(toy_site(ring=ring_of(keys, Clock()))) as client:
        assert ask(client, token(secret, "HS256", "bad")).status_code == 401


def test_two_keys_of_one_id_are_both_refused():
    with TestClient(toy_site(ring=ring_of(Issuer(jwk(ED, "x"), jwk(STRANGER, "x"), jwk(EC, "ec")), Clock()))) as client:
        assert ask(client, token(kid="x")).status_code == 401
        assert ask(client, token(STRANGER, kid="x")).status_code == 401
        assert ask(client, token(EC, "ES256", "ec")).status_code == 200


@pytest.mark.parametrize(
    ("tenant", "status"), [("acme", 200), ("other", 401), (None, 200)], ids=["its own", "another", "unsaid"]
)
def test_an_issuer_bound_to_a_tenant_speaks_for_no_other(tenant: str | None, status: int):
    with TestClient(toy_site(ring=ring_of(Issuer(jwk(ED, "ed")), Clock(), tenant="acme"))) as client:
        assert ask(client, token(tenant=tenant)).status_code == status


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data: bytes):
    with pytest.raises(Unacceptable):
        unverified(data)


async def test_a_remembered_token_is_forgotten_when_it_expires():
    clock = Clock()
    known = Authenticator(ring_of(Issuer(jwk(ED, "ed")), clock), clock, audience=AUDIENCE)
    headers = [(b"authorization", f"Bearer {token(exp=NOW + 60)}".encode())]
    await known.caller(headers, "r-1")

    clock.advance(timedelta(seconds=89))
    assert (await known.caller(headers, "r-2")).request == "r-2"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(Refusal) as refused:
        await known.caller(headers, "r-3")
    assert refused.value.detail == "The token has expired."


async def test_a_remembered_token_is_not_verified_again():
    clock, issuer = Clock(), Issuer(jwk(ED, "ed"))
    known = Authenticator(ring_of(issuer, clock), clock, audience=AUDIENCE)
    headers = [(b"authorization", f"Bearer {token()}".encode())]

    await known.caller([(b"authorization", f"Bearer {token(sub='another')}".encode())], "r-0")  # fetches the keys
    first, second = await known.caller(headers, "r-1"), await known.caller(headers, "r-2")

    assert msgspec.structs.replace(first, request="") == msgspec.structs.replace(second, request="")
    assert first.scopes is second.scopes


async def test_the_memory_for_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.web.auth._REMEMBERED", 3)
    clock = Clock()
    known = Authenticator(ring_of(Issuer(jwk(ED, "ed")), clock), clock, audience=AUDIENCE)
    for number in range(10):
        await known.caller([(b"authorization", f"Bearer {token(sub=str(number))}".encode())], "r")

    assert len(known._grants) == 3


async def test_what_was_refused_is_not_remembered():
    clock = Clock()
    known = Authenticator(ring_of(Issuer(jwk(ED, "ed")), clock), clock, audience=AUDIENCE)
    for number in range(10):
        with pytest.raises(Refusal):
            await known.caller([(b"authorization", f"Bearer {token(STRANGER, sub=str(number))}".encode())], "r")

    assert known._grants == {}
