"""What a case asks of the systems: who takes a kind of task gets one, once, in the case's transaction."""

import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from uuid_utils.compat import uuid7

from service.audit import AuditEvent, Query
from service.downstreams import AssignTasks, Identity, IdentityType, Person, TaskKind, TaskState, is_over, settled, told
from service.downstreams.assigning import PEOPLE
from service.downstreams.domain import Downstream, SystemKind
from service.kernel import Caller, Handle, SubjectId, TenantId
from service.transaction import Begin
from service.vault import BoxKey, BoxPlace
from service.vault.boxes import open_box, seal_box
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.conftest import Database, FakeClock

ADA = Person(subjects=(SubjectId("lovelace-17"),), identities=(Identity("email", "ada@mail.example"),))
WORKING = ("crm", "ledger")


@pytest.fixture
async def key(begin: Begin, clock: FakeClock, tenant: TenantId, tmp_path: Path) -> BoxKey:
    keys = Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=timedelta(minutes=5))
    return await keys.box_key(tenant)


@pytest.fixture
async def systems(begin: Begin, tenant: TenantId, clock: FakeClock) -> None:
    async with begin(tenant) as tx:
        for name, kind, takes in (
            ("crm", SystemKind.WEBHOOK, (TaskKind.ERASE, TaskKind.RESTRICT)),
            ("ledger", SystemKind.PULL, (TaskKind.ERASE,)),
            ("ads", SystemKind.WEBHOOK, (TaskKind.OPT_OUT,)),
        ):
            known_by = (IdentityType.EMAIL,) if name == "crm" else ()
            said = Downstream(
                name=name, kind=kind, takes=takes, url="https://x.example", client="x", identities=known_by
            )
            await tx.downstreams.put(said, at=clock(), actor="shop-backend")


@pytest.fixture
def assign(clock: FakeClock) -> AssignTasks:
    return AssignTasks(seal_box, clock, uuid7, patience=timedelta(hours=120))


@pytest.mark.usefixtures("systems")
async def test_every_system_that_takes_it_gets_a_task_once(
    begin: Begin, database: Database, tenant: TenantId, caller: Caller, key: BoxKey, assign: AssignTasks
):
    request, handle = uuid4(), Handle(uuid4())
    ids = []
    for _ in range(2):
        async with begin(tenant) as tx:
            ids.append(await assign(tx, key, request, handle, TaskKind.ERASE, ADA, by=caller))

    async with begin(tenant) as tx:
        outcomes = await settled(tx, request)
        assert await told(tx, TaskKind.ERASE) == list(WORKING)
        entries = await tx.audit.find(Query(event=AuditEvent.DOWNSTREAM_ASSIGNED), subject=None, after=None, limit=9)
        sealed = await tx.downstreams.sealed(ids[0])
    assert ids[0] == ids[1] == [outcome.task for outcome in outcomes]
    assert [(outcome.system, outcome.state) for outcome in outcomes] == [(name, TaskState.OPEN) for name in WORKING]
    assert {entry.object_id for entry in entries} == {str(task) for task in ids[0]}
    assert not is_over(outcomes)
    with psycopg.connect(database.urls.owner) as owner:
        for table in ("downstream_task", "outbox", "audit_entry"):
            rows = owner.execute(f"SELECT to_jsonb({table}.*)::text, * FROM {table}").fetchall()
            assert rows
            assert not re.search("lovelace|mail.example", str(rows)), "it is sealed, and nowhere else"
    crm, ledger = (open_box(key, BoxPlace(kind=PEOPLE, id=id_), sealed[id_]) for id_ in ids[0])
    assert (b"ada@mail.example" in crm, b"ada@mail.example" in ledger) == (True, False), "only who may be told is"


@pytest.mark.usefixtures("systems")
async def test_what_is_rolled_back_was_never_assigned(
    begin: Begin, tenant: TenantId, caller: Caller, key: BoxKey, assign: AssignTasks
):
    request = uuid4()

    async def broken_off() -> None:
        async with begin(tenant) as tx:
            await assign(tx, key, request, Handle(uuid4()), TaskKind.ERASE, ADA, by=caller)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken_off()
    async with begin(tenant) as tx:
        assert await settled(tx, request) == []


async def test_where_no_system_is_to_be_told_the_case_goes_on(
    begin: Begin, tenant: TenantId, caller: Caller, key: BoxKey, assign: AssignTasks
):
    async with begin(tenant) as tx:
        assert await assign(tx, key, uuid4(), Handle(uuid4()), TaskKind.ERASE, ADA, by=caller) == []
        assert is_over(await settled(tx, uuid4()))


@pytest.mark.usefixtures("systems")
async def test_a_settled_task_says_so_names_nobody_and_stays(
    begin: Begin,
    database: Database,
    tenant: TenantId,
    caller: Caller,
    key: BoxKey,
    assign: AssignTasks,
    clock: FakeClock,
):
    request = uuid4()
    async with begin(tenant) as tx:
        crm, ledger = await assign(tx, key, request, Handle(uuid4()), TaskKind.ERASE, ADA, by=caller)
    clock.advance(timedelta(hours=1))
    async with begin(tenant) as tx:
        await tx.downstreams.settle(crm, TaskState.CONFIRMED, None, clock())
        await tx.downstreams.settle(ledger, TaskState.REFUSED, "legal_claims", clock())
        await tx.downstreams.settle(ledger, TaskState.CONFIRMED, None, clock())
        outcomes = await settled(tx, request)
        assert await tx.downstreams.sealed([crm, ledger]) == {}

    assert [(each.system, each.state, each.ground, each.at) for each in outcomes] == [
        ("crm", TaskState.CONFIRMED, None, clock()),
        ("ledger", TaskState.REFUSED, "legal_claims", clock()),
    ]
    assert is_over(outcomes)
    with psycopg.connect(database.urls.owner) as owner:
        owner.execute("GRANT UPDATE ON downstream_task TO volens_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="a settled task stays"):
            owner.execute("UPDATE downstream_task SET state = 'open' WHERE id = %s", (crm,))
