"""What `service.vault.ports.KeyRing` promises, kept by a file, by OpenBao and by AWS KMS.

OpenBao is a real server. AWS KMS is moto's, which encrypts for real but differs: a disabled key still
works there, a wrong key is `AccessDenied` instead of `IncorrectKey`, and its log doesn't exist.
"""

import os
from collections.abc import AsyncIterator

import msgspec
import pytest
from moto import mock_aws

from service.kernel import TenantId
from service.vault.domain import KeyContext, KeyPurpose, RingUnavailable, RootUse, Unreadable, Wrapped
from service.vault.ports import KeyRing
from service.vault.ring_aws import AwsRing
from service.vault.ring_calls import RingCalls
from service.vault.ring_file import FileRing
from service.vault.ring_guard import GuardedRing
from service.vault.ring_transit import transit
from service.vault.rotation import RootWrapped
from tests.contract.rings import bao, nowhere

KEY = bytes(range(32))
CONTEXT = KeyContext(tenant=TenantId("acme"), purpose=KeyPurpose.INDEX, version=1, field="email")
OTHERS = [
    {"tenant": TenantId("acme2")},
    {"purpose": KeyPurpose.TENANT},
    {"version": 2},
    {"field": "phone"},
    {"field": ""},
]
WHOLE_SUITE = ["file", "transit", "aws-kms"]


class Rings(msgspec.Struct):
    ring: KeyRing
    lost: KeyRing
    """The same kind of ring, unreachable."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with bao(tmp_path_factory.mktemp("bao")) as server:
        yield server


def hasty() -> RingCalls:
    return RingCalls(first_pause=0.001)


@pytest.fixture(params=WHOLE_SUITE)
async def rings(request, tmp_path, monkeypatch) -> AsyncIterator[Rings]:
    match request.param:
        case "file":
            removed = FileRing.open(tmp_path / "removed.keys")
            (tmp_path / "removed.keys").unlink()
            yield Rings(ring=FileRing.open(tmp_path / "root.keys"), lost=removed)
        case "transit":
            server = request.getfixturevalue("server")
            name, token = server.make_key()
            async with (
                transit(server.url, token=token, name=name) as ring,
                transit(nowhere(), token=token, name=name, calls=hasty()) as lost,
            ):
                yield Rings(ring=ring, lost=lost)
        case _:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                monkeypatch.setenv(name, "made-up")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
            with mock_aws():
                ring = AwsRing.open("alias/volens")
                made = ring._client.create_key()["KeyMetadata"]
                ring._client.create_alias(AliasName="alias/volens", TargetKeyId=made["KeyId"])
                yield Rings(ring=ring, lost=AwsRing.open("alias/volens", endpoint=nowhere(), calls=hasty()))


@pytest.fixture
def ring(rings: Rings) -> KeyRing:
    return rings.ring


async def test_a_wrapped_key_unwraps_in_its_place(ring):
    wrapped = await ring.wrap(KEY, CONTEXT)

    assert await ring.unwrap(wrapped, CONTEXT) == KEY
    assert KEY not in wrapped.body


@pytest.mark.parametrize("changes", OTHERS, ids=str)
async def test_a_wrapped_key_unwraps_in_no_other_place(ring, changes):
    wrapped = await ring.wrap(KEY, CONTEXT)

    with pytest.raises(Unreadable):
        await ring.unwrap(wrapped, msgspec.structs.replace(CONTEXT, **changes))


async def test_the_same_key_is_wrapped_differently_each_time(ring):
    assert (await ring.wrap(KEY, CONTEXT)).body != (await ring.wrap(KEY, CONTEXT)).body


async def test_a_changed_body_does_not_unwrap(ring):
    wrapped = await ring.wrap(KEY, CONTEXT)
    body = wrapped.body
    for at in (len(body) // 2, len(body) * 3 // 4, len(body) - 1):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        with pytest.raises(Unreadable):
            await ring.unwrap(msgspec.structs.replace(wrapped, body=changed), CONTEXT)


async def test_a_truncated_body_does_not_unwrap(ring):
    wrapped = await ring.wrap(KEY, CONTEXT)
    for size in range(len(wrapped.body)):
        with pytest.raises(Unreadable):
            await ring.unwrap(msgspec.structs.replace(wrapped, body=wrapped.body[:size]), CONTEXT)


async def test_what_another_kind_of_ring_wrapped_does_not_unwrap(ring):
    wrapped = await ring.wrap(KEY, CONTEXT)

    with pytest.raises(Unreadable):
        await ring.unwrap(msgspec.structs.replace(wrapped, ring="another"), CONTEXT)


async def test_keys_are_wrapped_under_the_current_version(ring):
    assert (await ring.wrap(KEY, CONTEXT)).version == await ring.current()


async def test_after_a_rotation_old_keys_still_unwrap_and_new_ones_are_under_the_new_version(ring):
    before = await ring.wrap(KEY, CONTEXT)
    version = await ring.rotate()
    after = await ring.wrap(KEY, CONTEXT)

    assert version == await ring.current() == after.version
    assert [await ring.unwrap(wrapped, CONTEXT) for wrapped in (before, after)] == [KEY, KEY]


async def test_a_ring_knows_every_version_it_ever_wrapped_under_and_no_other(ring):
    before = (await ring.wrap(KEY, CONTEXT)).version
    await ring.rotate()

    for version in (before, await ring.current()):
        assert await ring.knows(version)
    for stranger in ("v9", "none", "0123456789ab"):
        assert not await ring.knows(stranger)


async def test_a_ring_that_is_there_passes_its_check(ring):
    await ring.check()


async def test_a_lost_ring_is_unavailable_and_never_something_less(rings):
    wrapped = await rings.ring.wrap(KEY, CONTEXT)
    lost = rings.lost
    for call in (
        lambda: lost.wrap(KEY, CONTEXT),
        lambda: lost.unwrap(wrapped, CONTEXT),
        lost.check,
        lost.current,
        lambda: lost.knows(wrapped.version),
        lost.rotate,
    ):
        with pytest.raises(RingUnavailable):
            await call()


# What only some rings can do, or do differently.


async def test_a_rotation_where_the_version_is_ours_to_see_changes_it(tmp_path, server):
    name, token = server.make_key()
    async with transit(server.url, token=token, name=name) as remote:
        for ring in (FileRing.open(tmp_path / "root.keys"), remote):
            before = await ring.current()
            assert await ring.rotate() != before


async def test_a_version_that_does_not_fit_the_body_does_not_unwrap(tmp_path, server):
    name, token = server.make_key()
    async with transit(server.url, token=token, name=name) as remote:
        for ring in (FileRing.open(tmp_path / "root.keys"), remote):
            wrapped = await ring.wrap(KEY, CONTEXT)
            await ring.rotate()
            for version in (await ring.current(), "", "v9", "none"):
                with pytest.raises(Unreadable):
                    await ring.unwrap(msgspec.structs.replace(wrapped, version=version), CONTEXT)


async def test_a_new_key_ring_opens_nothing_of_the_old_one(tmp_path, server):
    (old_name, old_token), (new_name, new_token) = server.make_key(), server.make_key()
    async with (
        transit(server.url, token=old_token, name=old_name) as old,
        transit(server.url, token=new_token, name=new_name) as new,
    ):
        pairs = [(old, new), (FileRing.open(tmp_path / "old.keys"), FileRing.open(tmp_path / "new.keys"))]
        for lost, found in pairs:
            with pytest.raises(Unreadable):
                await found.unwrap(await lost.wrap(KEY, CONTEXT), CONTEXT)


class Used:
    """What the database would say if this key were all that it has."""

    def __init__(self, key: Wrapped) -> None:
        self._use = RootUse(ring=key.ring, version=key.version, keys=1)
        self._key = RootWrapped(context=CONTEXT, wrapped=key)

    async def __call__(self) -> list[RootUse]:
        return [self._use]

    async def samples(self) -> list[tuple[RootUse, RootWrapped]]:
        return [(self._use, self._key)]


async def test_another_key_of_transit_is_noticed_though_its_version_has_the_same_name(server):
    (old_name, old_token), (new_name, new_token) = server.make_key(), server.make_key()
    async with (
        transit(server.url, token=old_token, name=old_name) as old,
        transit(server.url, token=new_token, name=new_name) as new,
    ):
        uses = Used(await old.wrap(KEY, CONTEXT))
        assert await old.current() == await new.current()
        assert await GuardedRing("transit", old, uses).fault() is None
        exchanged = GuardedRing("transit", new, uses)

        assert "which this ring does not open" in str(await exchanged.fault())
        with pytest.raises(RingUnavailable):
            await exchanged.wrap(KEY, CONTEXT)


async def test_transit_never_makes_a_key_of_a_mistyped_name(server):
    async with transit(server.url, token="the-root-of-this-test", name="volens-mistyped") as ring:
        with pytest.raises(RingUnavailable):
            await ring.wrap(KEY, CONTEXT)

    assert server.ask("GET", "transit/keys/volens-mistyped").status_code == 404


@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519"])
async def test_transit_refuses_a_key_that_would_ignore_the_context(server, kind):
    name, token = server.make_key(kind)
    async with transit(server.url, token=token, name=name) as ring:
        for call in (ring.check, lambda: ring.wrap(KEY, CONTEXT)):
            with pytest.raises(RingUnavailable, match="bind"):
                await call()


async def test_a_token_that_is_no_longer_good_makes_transit_unavailable_and_not_the_keys_unreadable(server):
    name, token = server.make_key()
    async with transit(server.url, token=token, name=name) as ring:
        wrapped = await ring.wrap(KEY, CONTEXT)
        server.ask("POST", "auth/token/revoke", token=token).raise_for_status()

        with pytest.raises(RingUnavailable):
            await ring.unwrap(wrapped, CONTEXT)


async def test_the_token_is_read_anew_from_the_file_that_an_agent_writes(server, tmp_path):
    name, token = server.make_key()
    sink = tmp_path / "token"
    async with transit(server.url, token=f"file:{sink}", name=name) as ring:
        with pytest.raises(RingUnavailable, match="token"):
            await ring.check()
        sink.write_text(f"{token}\n")
        await ring.check()


async def test_a_sealed_and_then_a_stopped_server_is_unavailable(tmp_path):
    with bao(tmp_path) as own:
        name, token = own.make_key()
        async with transit(own.url, token=token, name=name, calls=hasty()) as ring:
            wrapped = await ring.wrap(KEY, CONTEXT)
            own.ask("PUT", "sys/seal").raise_for_status()
            with pytest.raises(RingUnavailable):
                await ring.unwrap(wrapped, CONTEXT)
            own.process.kill()
            with pytest.raises(RingUnavailable):
                await ring.unwrap(wrapped, CONTEXT)


async def test_without_a_region_aws_is_unavailable(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(RingUnavailable):
        AwsRing.open("alias/volens")
