"""A time-stamp authority, OpenSSL's own, stamps what the log signs; whatever else it answers is kept nowhere."""

import base64
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from service.audit import AuditEvent, Draft
from service.audit.asked import poster
from service.audit.attesting_ports import Refused, Silent
from service.audit.attesting_store import SqlLogs
from service.audit.findings import Kind, Wrong
from service.audit.growing import GrowTree
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.rfc3161 import REQUEST, Authorities
from service.audit.signing import cosign
from service.audit.stamping import StampTree
from service.audit.timestamps import TIMESTAMP, stamped
from service.audit.tree_store import growing
from service.audit.verifier import Verifier
from service.given import utc_now
from tests.audited import WITNESS
from tests.integration.growing_child import NAME
from tests.timestamping import Authority
from tests.witnessing import answering


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def authorities(authority: Authority) -> Authorities:
    return Authorities.of(authority.roots.read_bytes())


@pytest.fixture
def logs(worker_pool) -> SqlLogs:
    return SqlLogs(worker_pool)


@pytest.fixture
def add(begin, caller, worker_pool, log_keys, published, clock):
    grow = GrowTree(NAME, growing(worker_pool), log_keys.signer, published, clock, batch=100)

    async def add(number: int) -> None:
        async with begin(caller.tenant) as tx:
            drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=f"r-{each}") for each in range(number)]
            await tx.audit.append_many(drafts, by=caller)
        while await grow(caller.tenant):
            pass

    return add


@pytest.fixture
async def post() -> AsyncIterator:
    async with aiohttp.ClientSession() as session:
        yield poster(session)


@pytest.fixture
def served(begin, caller):
    async def served(size: int | None = None) -> tuple[str, bytes] | None:
        async with begin(caller.tenant) as tx:
            return await tx.tree.timestamp(size)

    return served


async def stamp(logs, post, authorities, caller, reply, status: int = 200) -> int:
    def answers(request: str) -> web.Response:
        return web.Response(status=status, body=reply(request.encode("latin-1")))

    async with answering(answers, "/tsa") as url:
        return await StampTree(f"{url}/tsa", logs, post, authorities)(caller.tenant)


def openssl(*asked: str | Path) -> str:
    told = subprocess.run(["openssl", "ts", *asked], check=True, capture_output=True, text=True)
    return told.stdout + told.stderr


def as_evidence(found: tuple[str, bytes] | None) -> str:
    assert found is not None
    note, token = found
    return json.dumps({"format": TIMESTAMP, "checkpoint": note, "token": base64.b64encode(token).decode()})


async def test_a_stamped_checkpoint_is_verified_offline(
    add, logs, post, authority, authorities, caller, served, log_keys, tmp_path: Path
):
    await add(3)

    assert await stamp(logs, post, authorities, caller, authority.reply) == 3

    found = await served()
    key = Key(f"{NAME}/{caller.tenant}", LOG, log_keys.public[-1])
    verifier = Verifier({(key.name, key.id): key}, stamps=authorities.judge)
    assert verifier.file(BytesIO(as_evidence(found).encode()), "stamp")
    assert not verifier.report.findings
    assert f"{utc_now():%Y-%m-%dT}" in verifier.report.proved[0]
    note, token = found
    (tmp_path / "signed").write_bytes(stamped(Checkpoint.parse(cosign(note, WITNESS, 5))))
    (tmp_path / "token").write_bytes(token)
    told = openssl("-verify", "-data", tmp_path / "signed", "-in", tmp_path / "token", "-CAfile", authority.roots)
    assert "Verification: OK" in told


async def test_the_first_stamp_of_a_tree_that_holds_an_entry_is_handed_out(
    add, logs, post, authority, authorities, caller, served
):
    for number in (3, 5):
        await add(number)
        await stamp(logs, post, authorities, caller, authority.reply)

    sizes = [Checkpoint.parse((await served(size))[0]).size for size in (None, 0, 3, 4, 8)]
    assert sizes == [8, 3, 3, 8, 8]
    assert await served(9) is None


async def test_a_log_is_due_once_a_while_and_only_when_it_grew(add, logs, post, authority, authorities, caller, clock):
    clock.now = utc_now()

    async def due(later: timedelta) -> bool:
        return caller.tenant in {each.tenant for each in await logs.unstamped(clock() + later - timedelta(hours=1))}

    await add(1)
    assert await due(timedelta())
    await stamp(logs, post, authorities, caller, authority.reply)
    assert not await due(timedelta(hours=2)), "it did not grow"
    await add(1)
    assert not await due(timedelta(minutes=50))
    assert await due(timedelta(minutes=70))


async def test_a_token_of_somebody_else_or_of_something_else_is_refused(
    add, logs, post, authority, authorities, caller, served, tmp_path: Path
):
    await add(1)
    request, _ = authorities.request(b"another message")
    other = Authority(tmp_path / "other", "other.example")

    for reply, why in (
        (other.reply, "certificate"),
        (lambda asked: authority.reply(request), "[Nn]once"),
        (lambda asked: b"no token", "doesn't hold"),
        (lambda asked: b"", "doesn't hold"),
        (lambda asked: authority.reply(b"no request"), "SignedData"),
    ):
        with pytest.raises(Refused, match=why):
            await stamp(logs, post, authorities, caller, reply)
    for status, error in ((500, Silent), (429, Silent), (404, Refused)):
        with pytest.raises(error):
            await stamp(logs, post, authorities, caller, authority.reply, status)
    assert await served() is None


async def test_a_token_over_another_checkpoint_is_found(add, logs, post, authority, authorities, caller, served):
    await add(1)
    await stamp(logs, post, authorities, caller, authority.reply)
    note, token = await served()
    message = stamped(Checkpoint.parse(note))

    assert authorities.judge(token, message) == authorities.judge(token, message, None)
    for wrong in (message + b"\n", message.replace(b"\n1\n", b"\n2\n"), b""):
        with pytest.raises(Wrong) as found:
            authorities.judge(token, wrong)
        assert found.value.kind is Kind.TIMESTAMP
    at = authorities.judge(token, message)
    for place in range(0, len(token), 7):
        changed = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        with suppress(Wrong):  # some bytes say nothing, such as those of a certificate's name that nobody reads
            assert authorities.judge(changed, message) == at


async def test_a_verifier_that_is_told_of_no_authority_believes_none(
    add, logs, post, authority, authorities, caller, served, log_keys
):
    await add(1)
    await stamp(logs, post, authorities, caller, authority.reply)
    key = Key(f"{NAME}/{caller.tenant}", LOG, log_keys.public[-1])

    verifier = Verifier({(key.name, key.id): key})
    verifier.timestamp(as_evidence(await served()), "stamp")

    assert [finding.kind for finding in verifier.report.findings] == [Kind.TIMESTAMP]
    assert not verifier.report.proved


def test_a_request_is_over_sha_256_and_asks_for_the_certificate(authorities, tmp_path: Path):
    request, nonce = authorities.request(b"a message")
    (tmp_path / "query").write_bytes(request)

    told = openssl("-query", "-in", tmp_path / "query", "-text")

    assert ("Hash Algorithm: sha256" in told, "Certificate required: yes" in told) == (True, True)
    assert (f"{nonce:X}" in told.upper(), REQUEST) == (True, "application/timestamp-query")
