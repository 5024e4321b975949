"""A ring in a file: for its owner's eyes only, written whole or not at all, never made anew behind anybody's back."""

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from service.kernel import TenantId
from service.vault.domain import KeyContext, KeyPurpose, RingUnavailable
from service.vault.ring_file import FileRing, _rotate

CONTEXT = KeyContext(tenant=TenantId("acme"), purpose=KeyPurpose.TENANT, version=1)
KEY = b"k" * 32


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data" / "root.keys"


def test_a_new_ring_is_for_its_owner_alone(place):
    FileRing.open(place)

    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert os.listdir(place.parent) == ["root.keys"]


def test_opening_a_ring_again_leaves_it_as_it_is(place):
    FileRing.open(place)
    written = place.read_bytes()
    FileRing.open(place)

    assert place.read_bytes() == written


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o601])
async def test_a_ring_that_others_can_reach_is_refused_at_once_and_later(place, mode):
    ring = FileRing.open(place)
    place.chmod(mode)

    with pytest.raises(RingUnavailable, match="0600"):
        FileRing.open(place)
    with pytest.raises(RingUnavailable, match="0600"):
        await ring.wrap(KEY, CONTEXT)
    place.chmod(0o400)
    FileRing.open(place)


def test_a_ring_of_another_user_is_refused(place, monkeypatch):
    FileRing.open(place)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(RingUnavailable, match="user who runs"):
        FileRing.open(place)


def ring_of(**changes) -> dict:
    return {"format": "volens.ring/1", "current": "a", "keys": {"a": "00" * 32}} | changes


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\xff",
        b"[]",
        json.dumps(ring_of(format="volens.ring/2")).encode(),
        json.dumps(ring_of(current="b")).encode(),
        json.dumps(ring_of(keys={"a": "00" * 31})).encode(),
        json.dumps(ring_of(keys={"a": "zz" * 32})).encode(),
        json.dumps(ring_of(keys={"a": "00" * 32, "b": ""})).encode(),
        json.dumps(ring_of(more=1)).encode(),
    ],
)
def test_what_is_no_ring_is_refused_and_left_as_it_is(place, written):
    place.parent.mkdir()
    place.write_bytes(written)
    place.chmod(0o600)

    with pytest.raises(RingUnavailable) as refusal:
        FileRing.open(place)
    assert "00" not in str(refusal.value)
    assert place.read_bytes() == written


async def test_a_ring_that_is_removed_is_not_made_anew(place):
    ring = FileRing.open(place)
    place.unlink()

    for call in (lambda: ring.wrap(KEY, CONTEXT), ring.rotate, ring.check):
        with pytest.raises(RingUnavailable):
            await call()
    assert os.listdir(place.parent) == []


async def test_a_rotation_by_another_process_counts_at_once(place):
    ring, other = FileRing.open(place), FileRing.open(place)
    before = await ring.wrap(KEY, CONTEXT)
    version = await other.rotate()

    assert (await ring.wrap(KEY, CONTEXT)).version == version != before.version
    assert await ring.unwrap(before, CONTEXT) == KEY
    assert place.stat().st_mode & 0o777 == 0o600


def test_rotations_at_once_lose_no_key(place):
    FileRing.open(place)
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        versions = list(processes.map(_rotate, [place] * 12))

    kept = json.loads(place.read_bytes())
    assert set(versions) < kept["keys"].keys()
    assert len(kept["keys"]) == 13
    assert os.listdir(place.parent) == ["root.keys"]


def test_two_that_make_a_ring_at_once_agree_on_it(place):
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        rings = list(processes.map(opened, [place] * 8))

    assert len(set(rings)) == 1


def opened(place) -> bytes:
    FileRing.open(place)
    return place.read_bytes()


async def test_a_rotation_that_fails_leaves_the_ring_as_it_was(place, monkeypatch):
    ring = FileRing.open(place)
    written = place.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await ring.rotate()

    assert place.read_bytes() == written
    assert os.listdir(place.parent) == ["root.keys"]
