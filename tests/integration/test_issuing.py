"""A token and the end of the person it stands for, at one moment: none is left that leads to somebody forgotten."""

import asyncio
import os
from contextlib import asynccontextmanager

import psycopg
import pytest

from service.consent.profiles import ProfileReader
from service.kernel import SubjectId, Unavailable
from service.reveals import IssueToken
from service.vault import DestroyKey, FieldsOf, SubjectErased
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.builders import DAY
from tests.integration.test_consent_profiles import Beside

ANN, BEN = SubjectId("ann"), SubjectId("ben")
WHAT = {"subject": ANN, "name": "email", "purpose": "marketing", "recipient": "printer"}


@pytest.fixture
def keys(tmp_path, begin, clock) -> Keys:
    return Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=DAY)


@pytest.fixture
async def ann(begin, tenant, clock, keys):
    await keys.tenant_key(tenant)
    async with begin(tenant) as tx:
        return (await tx.subjects.ensure([ANN], clock())).handles[ANN]


@pytest.fixture
def issue(begin, pool, keys, clock, caller):
    """Issues a token for Ann and, with `pause`, waits for it before the commit."""

    def issue(pause=None):
        @asynccontextmanager
        async def stopping(tenant):
            async with begin(tenant) as tx:
                yield tx
                if pause is not None:
                    await pause()

        issuing = IssueToken(
            ProfileReader(pool, Beside()), FieldsOf(begin), stopping, keys, clock, lambda: os.urandom(32)
        )
        return issuing(**WHAT, by=caller)

    return issue


@pytest.fixture
def tokens(database, tenant):
    def tokens() -> int:
        with psycopg.connect(database.urls.owner) as connection:
            return connection.execute("SELECT count(*) FROM vault_token WHERE tenant = %s", (tenant,)).fetchone()[0]

    return tokens


@pytest.mark.parametrize("has_a_key", [True, False], ids=["with values", "without values"])
async def test_whoever_is_forgotten_while_a_token_is_issued_leaves_none(
    begin, keys, clock, caller, ann, issue, tokens, tenant, has_a_key
):
    if has_a_key:
        current = await keys.tenant_key(tenant)
        async with begin(tenant) as tx:
            await keys.ensure_subject_keys(tx.keys, current, [ann])
    issued, forgotten = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        issued.set()
        await asyncio.wait_for(forgotten.wait(), 10)

    async def forget() -> None:
        await issued.wait()
        destroying = asyncio.create_task(DestroyKey(begin, clock)(ann, by=caller))
        await asyncio.wait({destroying}, timeout=0.3)
        forgotten.set()
        await destroying

    await asyncio.gather(issue(pause), forget())

    assert tokens() == 0
    with pytest.raises(SubjectErased):
        await issue()
    assert tokens() == 0


async def test_whoever_is_merged_while_a_token_is_issued_is_asked_for_again(begin, clock, ann, issue, tokens, tenant):
    merged = asyncio.Event()

    async def merge() -> None:
        async with begin(tenant) as tx:
            ben = (await tx.subjects.ensure([BEN], clock())).handles[BEN]
        async with begin(tenant) as tx:
            held = await tx.subjects.hold([ANN, BEN])
            await tx.keys.destroy_subject_key(ann, clock())
            merged.set()
            await asyncio.sleep(0.3)
            await tx.subjects.merge(ann, held[BEN].subject, clock())
        assert ben != ann

    merging = asyncio.create_task(merge())
    await merged.wait()
    with pytest.raises(Unavailable):
        await issue()
    await merging

    assert tokens() == 0
    await issue()
    assert tokens() == 1
