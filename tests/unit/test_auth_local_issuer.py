"""The issuer of one machine: its key is secret, its tokens are good."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from service.kernel import Caller
from service.own_files import FileExposed, FileUnusable
from service.web.auth import Authenticator
from service.web.keys import KeyRing
from service.web.local_issuer import JWKS_FILE, KEY_FILE, LocalIssuer
from service.web.problems import Refusal
from tests.toy_site import AUDIENCE, NOON, RSA, Clock


def sign(issuer: LocalIssuer, scope: str = "decide records:write", subject: str = "demo") -> str:
    return issuer.sign(tenant="acme", scope=scope, subject=subject, ttl=timedelta(hours=1), now=NOON, new_id=uuid4)


async def caller(issuer: LocalIssuer, token: str, clock: Clock | None = None) -> Caller:
    clock = clock or Clock()
    known = Authenticator(KeyRing([issuer.settings], clock), clock, audience=AUDIENCE)
    return await known.caller([(b"authorization", f"Bearer {token}".encode())], "r-1")


async def test_its_tokens_are_accepted(tmp_path: Path):
    issuer = LocalIssuer.open(tmp_path, AUDIENCE)

    assert await caller(issuer, sign(issuer)) == Caller(
        tenant="acme", actor="volens-cli", request="r-1", scopes=frozenset({"decide", "records:write"})
    )


async def test_its_tokens_for_a_person_are_their_own(tmp_path: Path):
    issuer = LocalIssuer.open(tmp_path, AUDIENCE)
    known = await caller(issuer, sign(issuer, scope="self", subject="s-1"))

    assert (known.actor, known.subject) == ("self", "s-1")


async def test_its_tokens_end(tmp_path: Path):
    issuer = LocalIssuer.open(tmp_path, AUDIENCE)

    with pytest.raises(Refusal):
        await caller(issuer, sign(issuer), Clock(NOON + timedelta(hours=1, seconds=30)))


def test_the_key_can_be_read_by_its_owner_alone(tmp_path: Path):
    LocalIssuer.open(tmp_path / "data", AUDIENCE)

    assert (tmp_path / "data" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in (tmp_path / "data" / JWKS_FILE).read_bytes()
    assert b'"d"' not in (tmp_path / "data" / JWKS_FILE).read_bytes()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o611, 0o644])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int):
    LocalIssuer.open(tmp_path, AUDIENCE)
    (tmp_path / KEY_FILE).chmod(mode)

    with pytest.raises(FileExposed, match="0600"):
        LocalIssuer.open(tmp_path, AUDIENCE)


@pytest.mark.usefixtures("as_root")
def test_a_key_of_another_user_is_refused(tmp_path: Path):
    LocalIssuer.open(tmp_path, AUDIENCE)
    os.chown(tmp_path / KEY_FILE, 12345, -1)

    with pytest.raises(FileExposed):
        LocalIssuer.open(tmp_path, AUDIENCE)


def test_a_key_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / KEY_FILE).write_bytes(RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / KEY_FILE).chmod(0o600)

    with pytest.raises(FileUnusable, match="Ed25519"):
        LocalIssuer.open(tmp_path, AUDIENCE)


async def test_opened_again_it_is_the_same_issuer(tmp_path: Path):
    token = sign(LocalIssuer.open(tmp_path, AUDIENCE))
    (tmp_path / JWKS_FILE).unlink()

    assert (await caller(LocalIssuer.open(tmp_path, AUDIENCE), token)).tenant == "acme"


async def test_with_a_new_key_old_tokens_are_refused(tmp_path: Path):
    token = sign(LocalIssuer.open(tmp_path, AUDIENCE))
    (tmp_path / KEY_FILE).unlink()

    with pytest.raises(Refusal):
        await caller(LocalIssuer.open(tmp_path, AUDIENCE), token)


def test_many_that_open_at_once_have_one_key(tmp_path: Path):
    with ThreadPoolExecutor(16) as pool:
        issuers = list(pool.map(lambda _: LocalIssuer.open(tmp_path, AUDIENCE), range(64)))

    assert len({issuer._id for issuer in issuers}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {KEY_FILE, JWKS_FILE}
