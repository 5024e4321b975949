"""Only what is asked for is decrypted, and what was replaced stays readable until its retention ends."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from service.kernel import Handle, SubjectId
from service.vault.domain import Slot, Unreadable
from service.vault.envelope import seal, unseal
from service.vault.keys import Keys
from service.vault.opening import FieldsOf, OpenValues
from service.vault.ring_file import FileRing

_INSERT = text(
    """
    INSERT INTO vault_value (tenant, handle, field, label, version, sealed, at, actor)
    VALUES (:tenant, :handle, :field, :label, :version, :sealed, :at, 'test')
    """
)
ANN = SubjectId("ann")


@pytest.fixture
def keys(tmp_path, begin, clock) -> Keys:
    return Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=timedelta(minutes=5))


@pytest.fixture
def opened(begin, keys, clock) -> OpenValues:
    return OpenValues(begin, keys, unseal, clock)


@pytest.fixture
async def ann(begin, tenant, clock) -> Handle:
    async with begin(tenant) as tx:
        return (await tx.subjects.ensure([ANN], clock())).handles[ANN]


@pytest.fixture
def put(begin, keys, tenant, engine, clock):
    async def store(handle, field, value, *, version=1, label="", sealed_for=None):
        tenant_key = await keys.tenant_key(tenant)
        slot = Slot(tenant=tenant, handle=handle, field=field, label=label, version=version)
        async with begin(tenant) as tx:
            found = await keys.ensure_subject_keys(tx.keys, tenant_key, [handle])
            sealed = seal(found.keys[handle], sealed_for or slot, msgspec.msgpack.encode(value))
        async with engine.begin() as connection:
            await connection.execute(text("SELECT set_config('volens.tenant', :tenant, true)"), {"tenant": tenant})
            await connection.execute(_INSERT, {**msgspec.structs.asdict(slot), "sealed": sealed, "at": clock()})

    return store


@pytest.fixture
def execute(engine, tenant):
    async def run(statement: str) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT set_config('volens.tenant', :tenant, true)"), {"tenant": tenant})
            await connection.execute(text(statement), {"tenant": tenant})

    return run


async def test_the_latest_version_of_what_was_asked_for_is_opened(opened, tenant, ann, put):
    await put(ann, "email", "ann@mail.example")
    await put(ann, "email", "ann@post.example", version=2)
    await put(ann, "email", "ann@work.example", label="work")
    await put(ann, "name", "Ann Ash")

    opening = await opened(tenant, {ann: ["email", "email#work", "phone"]})

    assert {name: (each.version, each.value, each.masked) for name, each in opening.values[ann].items()} == {
        "email": (2, "ann@post.example", "a•••@p•••.example"),
        "email#work": (1, "ann@work.example", "a•••@w•••.example"),
    }


async def test_a_damaged_value_that_nobody_asked_for_is_not_touched(opened, tenant, ann, put):
    elsewhere = Slot(tenant=tenant, handle=ann, field="email", label="", version=1)
    await put(ann, "email", "ann@mail.example")
    await put(ann, "name", "Ann Ash", sealed_for=elsewhere)

    assert (await opened(tenant, {ann: ["email"]})).values[ann].keys() == {"email"}
    with pytest.raises(Unreadable):
        await opened(tenant, {ann: ["email", "name"]})


async def test_nothing_of_a_person_whose_key_was_destroyed_opens(opened, tenant, ann, put, begin, clock):
    await put(ann, "email", "ann@mail.example")
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(ann, clock())

    opening = await opened(tenant, {ann: ["email"]})

    assert (opening.values, opening.erased) == ({ann: {}}, {ann})


async def test_a_deleted_value_is_missing_unless_its_version_is_asked_for(opened, tenant, ann, put, execute):
    await put(ann, "email", "ann@mail.example")
    await execute("UPDATE vault_value SET deleted_at = '2026-11-21 09:00Z' WHERE tenant = :tenant")

    assert (await opened(tenant, {ann: ["email"]})).values == {ann: {}}
    assert (await opened(tenant, {ann: ["email"]}, version=1)).values[ann]["email"].value == "ann@mail.example"


async def test_a_replaced_version_can_be_opened_until_its_retention_ends(opened, begin, tenant, ann, put, clock):
    fields = dict(await FieldsOf(begin)(tenant))
    fields["email"] = msgspec.structs.replace(fields["email"], retention_days=30)
    await put(ann, "email", "ann@mail.example")
    clock.advance(timedelta(days=10))
    await put(ann, "email", "ann@post.example", version=2)

    clock.advance(timedelta(days=29))
    assert (await opened(tenant, {ann: ["email"]}, version=1, fields=fields)).values[ann]["email"].version == 1
    clock.advance(timedelta(days=1))
    assert (await opened(tenant, {ann: ["email"]}, version=1, fields=fields)).values == {ann: {}}
    assert (await opened(tenant, {ann: ["email"]}, fields=fields)).values[ann]["email"].version == 2


async def test_a_plain_value_does_not_show_in_its_repr(opened, tenant, ann, put):
    await put(ann, "email", "ann@mail.example")

    assert "ann" not in repr((await opened(tenant, {ann: ["email"]})).values[ann])
