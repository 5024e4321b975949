"""Anchors go on from what is there or are refused; a log that forks from them is found."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from service.audit import AuditEvent, Draft
from service.audit.anchor_files import anchor_file
from service.audit.anchor_s3 import AnchorBucket
from service.audit.anchoring import AnchorLog, Anchors
from service.audit.anchors import anchor_line
from service.audit.examining import ExamineLog
from service.audit.findings import Kind, Wrong
from service.audit.growing import GrowTree
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.proving import CheckpointUnknown
from service.audit.signing import checkpoint_text, signed
from service.audit.tree_store import add_public_key, growing, reading
from service.audit.verifier import Verifier
from service.kernel import Unavailable
from tests.integration.growing_child import NAME

Place = Callable[[], AbstractContextManager[Anchors]]


@pytest.fixture
def grow(worker_pool, log_keys, published, clock):
    return GrowTree(NAME, growing(worker_pool), log_keys.signer, published, clock, batch=100)


@pytest.fixture
async def add(begin, caller, grow, worker_pool, log_keys, clock):
    await add_public_key(worker_pool, log_keys.public[-1], clock())

    async def add(number: int) -> None:
        async with begin(caller.tenant) as tx:
            drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=f"r-{each}") for each in range(number)]
            await tx.audit.append_many(drafts, by=caller)
        while await grow(caller.tenant):
            pass

    return add


@pytest.fixture
def origin(caller) -> str:
    return f"{NAME}/{caller.tenant}"


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-this-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        name = f"anchors-{uuid4().hex[:8]}"
        boto3.client("s3").create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
            ObjectLockEnabledForBucket=True,
        )
        yield name


@pytest.fixture(params=["file", "bucket"])
def place(request, tmp_path: Path, clock) -> Place:
    if request.param == "file":
        return lambda: anchor_file(tmp_path / "elsewhere" / "log.anchors")
    name = request.getfixturevalue("bucket")

    @contextmanager
    def lend() -> Iterator[Anchors]:
        yield AnchorBucket.open(f"s3://{name}/volens/", clock, 30)

    return lend


@pytest.fixture
def anchor(begin, clock, caller, place: Place):
    async def anchor():
        with place() as anchors:
            return await AnchorLog(NAME, begin, begin, anchors, clock)(caller.tenant)

    return anchor


@pytest.fixture
def verifier(log_keys, origin):
    def make() -> Verifier:
        key = Key(origin, LOG, log_keys.public[-1])
        return Verifier({(key.name, key.id): key})

    return make


def lines(place: Place, origin: str, clock) -> bytes:
    """Return all anchors there are."""
    with place() as anchors:
        if isinstance(anchors, AnchorBucket):
            name = anchors._bucket
            client = boto3.client("s3")
            keys = [each["Key"] for each in client.list_objects_v2(Bucket=name).get("Contents", [])]
            return b"".join(client.get_object(Bucket=name, Key=key)["Body"].read() for key in sorted(keys))
        return os.pread(anchors._descriptor, 1 << 20, 0)


async def test_anchors_grow_with_the_log_and_prove_themselves(add, anchor, place, origin, clock, verifier):
    told = []
    for number in (1, 300, 0, 7):
        if number:
            await add(number)
        told.append(await anchor())

    assert [(each.before, each.size, each.added) for each in told] == [
        (0, 1, True), (1, 301, True), (301, 301, False), (301, 308, True),
    ]  # fmt: skip
    judge = verifier()
    assert judge.file(BytesIO(lines(place, origin, clock)), "anchors")
    assert not judge.report.findings
    assert "3 anchors" in judge.report.proved[0]
    assert "up to 308" in judge.report.proved[0]


async def test_nothing_is_anchored_of_a_log_that_never_signed(anchor):
    with pytest.raises(CheckpointUnknown):
        await anchor()


@pytest.mark.parametrize(
    ("size", "why"), [(4, "two trees of 4"), (2, "is not the beginning"), (9, "anchored, and the log has one of 4")]
)
async def test_a_log_that_forked_from_its_anchors_is_refused(add, anchor, place, origin, clock, log_keys, size, why):
    """What is anchored was signed by the same key: only the tree is another."""
    note = signed(checkpoint_text(origin, size, bytes(32)), [log_keys.signer(origin)])
    with place() as anchors:
        anchors.add(origin, size, anchor_line("2026-11-21T09:00:00+00:00", 0, [], note))
    await add(4)
    before = lines(place, origin, clock)

    with pytest.raises(Wrong, match=why):
        await anchor()

    assert lines(place, origin, clock) == before


async def test_anchors_that_the_log_did_not_sign_are_refused(add, anchor, place, origin, tmp_path):
    from service.audit.log_keys import LogKeys

    stranger = LogKeys.open(tmp_path / "other.keys", make=True)
    note = signed(checkpoint_text(origin, 1, bytes(32)), [stranger.signer(origin)])
    with place() as anchors:
        anchors.add(origin, 1, anchor_line("2026-11-21T09:00:00+00:00", 0, [], note))
    await add(4)

    with pytest.raises(Wrong, match="no signature is by a known key"):
        await anchor()


async def test_two_that_anchor_at_once_leave_one_line_of_each_size(add, begin, clock, caller, origin, tmp_path):
    def once() -> None:
        async def run() -> None:
            with anchor_file(tmp_path / "log.anchors") as anchors:
                held = anchors.last(origin)
                await asyncio.sleep(0.05)
                if held is None:
                    anchors.add(origin, 1, line)

        asyncio.run(run())

    await add(1)
    async with begin(caller.tenant) as tx:
        line = anchor_line("2026-11-21T09:00:00+00:00", 0, [], await tx.tree.checkpoint(None))
    await asyncio.gather(*(asyncio.to_thread(once) for _ in range(4)))

    assert (tmp_path / "log.anchors").read_bytes() == line


async def test_an_unfinished_line_is_not_written_behind(add, anchor, begin, clock, caller, tmp_path):
    await add(2)
    place = tmp_path / "log.anchors"
    place.write_bytes(b'{"format":"volens-anch')

    with pytest.raises(Wrong, match="unfinished"), anchor_file(place) as anchors:
        await AnchorLog(NAME, begin, begin, anchors, clock)(caller.tenant)

    assert place.read_bytes() == b'{"format":"volens-anch'


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch):
    place = tmp_path / "log.anchors"
    with anchor_file(place) as anchors:
        anchors.add("o", 1, b"first\n")
        write = os.write
        monkeypatch.setattr("os.write", lambda descriptor, line: write(descriptor, line[:3]))
        with pytest.raises(OSError, match="no room"):
            anchors.add("o", 2, b"second\n")

    assert place.read_bytes() == b"first\n"


def test_an_object_is_never_overwritten_and_locked_for_as_long_as_was_said(bucket: str, clock):
    anchors = AnchorBucket.open(f"s3://{bucket}/volens", clock, 30)
    anchors.add("log.example/acme", 5, b"one\n")

    with pytest.raises(Wrong) as taken:
        anchors.add("log.example/acme", 5, b"two\n")

    assert taken.value.kind is Kind.FORK
    client, name = boto3.client("s3"), "volens/log.example/acme/00000000000000000005.json"
    held = client.get_object(Bucket=bucket, Key=name)
    assert held["Body"].read() == b"one\n"
    assert held["ObjectLockMode"] == "COMPLIANCE"
    assert abs(held["ObjectLockRetainUntilDate"] - clock() - timedelta(days=30)) < timedelta(seconds=2)


def test_the_newest_object_is_found_among_thousands_and_not_that_of_another_log(bucket: str, clock):
    anchors = AnchorBucket.open(f"s3://{bucket}", clock, None)

    def line(origin: str, size: int) -> bytes:
        note = f"{origin}\n{size}\n{'A' * 43}=\n\n— x {'A' * 8}\n"
        return anchor_line("2026-11-21T09:00:00+00:00", 0, [], note)

    for size in range(1, 1_203):
        anchors.add("a/b", size, line("a/b", size))
    anchors.add("a/b/c", 9_999, line("a/b/c", 9_999))
    anchors.add("a/bb", 9_999, line("a/bb", 9_999))

    assert json.loads(anchors.last("a/b") or b"")["checkpoint"].split("\n")[1] == "1202"
    assert anchors.last("a/none") is None


def test_a_store_that_is_not_there_is_unavailable(bucket: str, clock):
    for name in ("no-such-bucket", bucket.upper()):
        with pytest.raises(Unavailable):
            AnchorBucket.open(f"s3://{name}/x", clock, None).last("log.example/acme")


async def test_a_database_that_forked_from_its_anchors_is_found(
    add, origin, worker_pool, caller, log_keys, published, begin
):
    look = ExamineLog(reading(worker_pool), published, NAME, log_keys.public)

    async def found(*notes: str) -> str:
        examined = await look(caller.tenant, lambda done, of: None, [Checkpoint.parse(note) for note in notes])
        return "; ".join(examined.findings)

    def forged(size: int) -> str:
        return signed(checkpoint_text(origin, size, bytes(32)), [log_keys.signer(origin)])

    await add(5)
    async with begin(caller.tenant) as tx:
        true = await tx.tree.checkpoint(None)
    await add(5)

    assert await found(true) == ""
    assert "another tree of 5 entries is anchored" in await found(true, forged(5))
    assert "the 7 entries that were signed are others" in await found(true, forged(7))
    assert "a tree of 11 entries is anchored, and the database has one of 10" in await found(true, forged(11))
