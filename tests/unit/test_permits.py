"""What a permit says, and every way in which a text is none."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit import Secret, jws
from service.audit.notes import LOG, Key
from service.audit.signing import Signer, verifier_key
from service.consent import Channel
from service.decisions import Basis, Decision
from service.decisions.permits import HASH_BYTES, PERMIT_TYPE, NoPermit, ends, kid_in, pseudonym, read, revocations
from service.downstreams.ed25519 import Ed25519
from service.kernel import Handle

NOW = datetime(2026, 11, 21, 9, 0, 0, 700_000, tzinfo=UTC)
ISSUER = "volens.example/acme"
JTI = UUID("01981234-5678-7abc-8def-0123456789ab")
SAID: dict[str, Any] = {
    "iss": ISSUER, "aud": "relay", "sub": "x", "jti": str(JTI), "iat": 1, "exp": 2, "channel": "email",
    "purpose": "marketing", "obligations": ["identify_sender"], "decision": str(JTI),
}  # fmt: skip


class Signing:
    """A key of receipts."""

    def __init__(self, seed: int = 1, name: str = f"{ISSUER}/receipts") -> None:
        key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = key.public_key().public_bytes_raw()
        self.signer = Signer(key=Key(name, LOG, self.public), sign=key.sign)
        self.kid = f"{name}+{self.signer.key.id.hex()}"

    def signed(self, kind: str = PERMIT_TYPE, **changes: Any) -> str:
        return jws(kind, SAID | changes, self.signer)

    def headed(self, **changes: Any) -> str:
        """Return a permit with another header, well signed."""
        header = {"alg": "EdDSA", "typ": PERMIT_TYPE, "kid": self.kid, **changes}
        message = f"{encoded(header)}.{encoded(SAID)}"
        signature = self.signer.sign(message.encode())
        return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def encoded(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


OURS = Signing()


def opened(text: str, keys: dict[str, bytes] | None = None, issuer: str = ISSUER) -> Any:
    return read(text, issuer, {OURS.kid: OURS.public} if keys is None else keys, Ed25519().verifies)


def a_decision(*, valid_until: datetime | None) -> Decision:
    return Decision(
        id=JTI, permit=True, basis=Basis.CONSENT, at=NOW, decided_at=NOW, channel=Channel.EMAIL, purpose="marketing",
        handle=Handle(JTI), reasons=(), obligations=(), records=(), retry_after=None, valid_until=valid_until,
        revision="sha256:0", overlay=0,
    )  # fmt: skip


def test_what_was_signed_is_read():
    said = opened(OURS.signed(message="m-1"))

    assert (said.jti, said.channel, said.message, said.obligations) == (JTI, "email", "m-1", ("identify_sender",))


@pytest.mark.parametrize("part", range(3))
def test_a_flipped_bit_in_any_part_makes_it_none(part: int):
    pieces = OURS.signed().split(".")
    raw = base64.urlsafe_b64decode(pieces[part] + "==")
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        pieces[part] = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        with pytest.raises(NoPermit):
            opened(".".join(pieces))


def test_another_spelling_of_the_same_signature_is_refused():
    text = OURS.signed()
    other = text[:-1] + chr(ord(text[-1]) + 1)

    assert base64.urlsafe_b64decode(other.split(".")[2] + "==") == base64.urlsafe_b64decode(text.split(".")[2] + "==")
    for spelling in (other, text + "=", text + "\n", f" {text}"):
        with pytest.raises(NoPermit):
            opened(spelling)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "eddsa"},
        {"alg": "Ed25519"},
        {"typ": "consent-receipt+jwt"},
        {"typ": "JWT"},
        {"kid": "nobody"},
        {"crit": ["b64"], "b64": False},
        {"jwk": {"kty": "OKP"}},
    ],
    ids=str,
)
def test_another_header_is_refused_though_it_is_signed(header: dict[str, Any]):
    assert opened(OURS.headed())
    with pytest.raises(NoPermit):
        opened(OURS.headed(**header))


def test_a_text_without_a_signature_is_refused():
    head, body, _ = OURS.signed().split(".")

    for text in (
        "",
        ".",
        "..",
        f"{head}.{body}.",
        f"{encoded({'alg': 'none'})}.{body}.",
        f"{head}.{body}",
        "a.b.c.d",
        "ä.ä.ä",
    ):
        with pytest.raises(NoPermit):
            opened(text)


def test_the_public_half_is_no_secret_to_sign_with():
    """The confusion of a key with an HMAC secret."""
    message = f"{encoded({'alg': 'HS256', 'typ': PERMIT_TYPE, 'kid': OURS.kid})}.{encoded(SAID)}"
    tag = hmac.digest(OURS.public, message.encode(), hashlib.sha256)
    with pytest.raises(NoPermit):
        opened(f"{message}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}")


def test_a_receipt_is_no_permit():
    with pytest.raises(NoPermit):
        opened(OURS.signed("consent-receipt+jwt"))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "volens.example/other"},
        {"exp": "2"},
        {"jti": "x"},
        {"channel": "pigeon"},
        {"more": 1},
        {"obligations": 1},
    ],
    ids=str,
)
def test_other_claims_are_refused_though_they_are_signed(changes: dict[str, Any]):
    with pytest.raises(NoPermit):
        opened(OURS.signed(**changes))


def test_another_key_under_the_same_kid_is_refused():
    with pytest.raises(NoPermit):
        opened(OURS.signed(), {OURS.kid: Signing(2).public})


def test_a_permit_lasts_a_quarter_of_an_hour_and_never_past_the_decision():
    second = NOW.replace(microsecond=0)

    assert ends(a_decision(valid_until=None)) == second + timedelta(minutes=15)
    assert ends(a_decision(valid_until=NOW + timedelta(days=1))) == second + timedelta(minutes=15)
    assert ends(a_decision(valid_until=NOW + timedelta(minutes=3))) == second + timedelta(minutes=3)
    assert ends(a_decision(valid_until=NOW + timedelta(milliseconds=299))) is None
    assert ends(a_decision(valid_until=NOW + timedelta(milliseconds=300))) == second + timedelta(seconds=1)


def test_a_key_is_known_by_its_name_whatever_it_is_made_of():
    keys = [Signing(seed) for seed in range(40)]
    lines = [verifier_key(each.signer.key) for each in keys]

    assert {line.count("+") for line in lines} >= {2, 3}
    assert [kid_in(line) for line in lines] == [each.kid for each in keys]


def test_each_audience_has_its_own_name_for_a_person():
    anna, bert = Secret(b"a" * 32), Secret(b"b" * 32)
    names = {pseudonym(secret, audience) for secret in (anna, bert) for audience in ("relay", "gateway")}

    assert len(names) == 4
    assert pseudonym(anna, "relay") == pseudonym(anna, "relay")
    assert all(len(name) == 22 for name in names)


def test_a_list_says_that_it_is_older_than_it_is_and_never_newer():
    said = revocations(ISSUER, [JTI, JTI], {"b", "a"}, NOW)

    assert said["iat"] <= NOW.timestamp() < said["iat"] + 2
    assert (said["exp"], said["kids"]) == (said["iat"] + 30, ["a", "b"])
    assert len(base64.urlsafe_b64decode(said["revoked"] + "==")) == HASH_BYTES
    assert revocations(ISSUER, [], (), NOW)["revoked"] == ""
