"""Who is forgotten does not come back by any address they ever had, wherever a crash comes between."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from service.kernel import SubjectId
from service.vault import Forget, OpenValues, Suppress
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Field, FieldType, Masking, Name, Sensitivity
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.values import Suppressed, Write, Written
from service.vault.writing import WriteValues
from tests.integration.forgetting_child import forget
from tests.integration.forked import FORK

OWN = Field(
    name="invoice_to",
    type=FieldType.EMAIL,
    sensitivity=Sensitivity.CONTACT,
    purposes=(),
    masking=Masking.EMAIL,
)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "root.keys"


@pytest.fixture
def keys(place, begin, clock):
    return Keys(FileRing.open(place), begin, clock, keep=timedelta(minutes=5))


@pytest.fixture
async def write(begin, keys, clock, caller):
    async with begin(caller.tenant) as tx:
        await tx.values.add_field(OWN, clock(), "test")

    async def write(subject: str, name: str, value: str | None):
        field = {**BUILT_IN, OWN.name: OWN}[Name.of(name).field]
        one = Write(subject=SubjectId(subject), name=Name.of(name), field=field, value=value, by=caller)
        [outcome] = await WriteValues(begin, keys, seal, clock)(caller.tenant, [one])
        return outcome

    return write


@pytest.fixture
async def ann(write, begin, tenant):
    """She had three addresses, of which she has one, and no number any more."""
    for name, value in (
        ("email", "first@mail.example"),
        ("email", "second@mail.example"),
        ("email", "now@mail.example"),
        ("phone#old", "+4930123456"),
        ("phone#old", None),
        ("invoice_to", "bills@mail.example"),
        ("name", "Ann"),
    ):
        assert isinstance(await write("ann", name, value), Written)
    async with begin(tenant) as tx:
        return await tx.subjects.handle_of(SubjectId("ann"))


EVERY = {
    "email": ["first@mail.example", "Second@mail.example", "now@mail.example", "bills@mail.example"],
    "email#work": ["first@mail.example"],
    "invoice_to": ["first@mail.example", "now@mail.example", "bills@mail.example"],
    "phone": ["+4930123456"],
}


async def come_back(write) -> list[type]:
    outcomes = [await write("bob", name, value) for name, values in EVERY.items() for value in values]
    return sorted({type(outcome) for outcome in outcomes}, key=str)


async def test_no_address_that_is_still_kept_brings_back_who_was_forgotten(
    ann, write, begin, keys, clock, caller, database
):
    forget = Forget(begin, keys, unseal, clock)

    assert [await forget(ann, by=caller), await forget(ann, by=caller)] == [5, 0]
    assert await come_back(write) == [Suppressed]
    assert isinstance(await write("bob", "email", "bob@mail.example"), Written)
    opening = await OpenValues(begin, keys, unseal, clock)(caller.tenant, {ann: ["email"]}, version=1)
    assert opening.erased == {ann}
    with psycopg.connect(database.urls.owner) as connection:
        events = connection.execute(
            "SELECT event FROM audit_entry WHERE tenant = %s AND subject = %s ORDER BY id DESC LIMIT 2",
            (caller.tenant, ann),
        ).fetchall()
    assert {event for (event,) in events} == {"vault.suppressed", "vault.key_destroyed"}


async def test_who_is_only_suppressed_keeps_what_they_have(ann, write, begin, keys, clock, caller):
    assert await Suppress(begin, keys, unseal, clock)(ann, by=caller) == 5

    assert await come_back(write) == [Suppressed]
    assert isinstance(await write("ann", "email", "now@mail.example"), Written)
    again = Write(
        subject=SubjectId("bob"), name=Name("invoice_to"), field=OWN, value="now@mail.example", by=caller, reenrol=True
    )
    assert isinstance((await WriteValues(begin, keys, seal, clock)(caller.tenant, [again]))[0], Written)


@pytest.mark.parametrize("table", ["vault_suppression", "vault_index", "audit_entry"])
async def test_who_is_killed_at_any_step_forgot_nobody_by_half(
    ann, write, begin, keys, clock, caller, database, place, table
):
    with psycopg.connect(database.urls.admin) as held:
        held.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        child = FORK.Process(target=forget, args=(database.urls.app, place, ann, caller))
        child.start()
        await waits_for(table, held)
        child.kill()
        child.join()
    opening = await OpenValues(begin, keys, unseal, clock)(caller.tenant, {ann: ["email"]})
    assert opening.values[ann]["email"].value == "now@mail.example"
    assert isinstance(await write("cem", "email", "first@mail.example"), Written)

    await Forget(begin, keys, unseal, clock)(ann, by=caller)
    assert await come_back(write) == [Suppressed]
    opening = await OpenValues(begin, keys, unseal, clock)(caller.tenant, {ann: ["email"]})
    assert opening.erased == {ann}


async def waits_for(table: str, connection: psycopg.Connection) -> None:
    waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    async with asyncio.timeout(30):
        while True:
            if connection.execute(waiting, (table,)).fetchone() is not None:
                return
            await asyncio.sleep(0.02)
