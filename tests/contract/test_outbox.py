"""What `service.events.Outbox` promises, kept by the real adapter."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import select

from service.events import Event
from service.events.tables import outbox
from service.kernel import Handle, TenantId

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def an_event(**changes) -> Event:
    return Event(**{"type": "record.stored", "object_id": "r-1", "subject": Handle(uuid4()), "at": NOON, **changes})


async def queued(engine, tenant: TenantId) -> list[Event]:
    """Read what waits, as the application role may."""
    columns = [outbox.c[name] for name in Event.__struct_fields__]
    async with engine.begin() as connection:
        await connection.exec_driver_sql("SELECT set_config('volens.tenant', %s, true)", (tenant,))
        rows = await connection.execute(select(*columns).order_by(outbox.c.id))
        return [Event(**row) for row in rows.mappings()]


async def test_events_wait_in_the_order_in_which_they_were_added(begin, engine, tenant):
    events = [an_event(object_id=f"r-{number}") for number in range(50)]
    async with begin(tenant) as tx:
        await tx.outbox.add(events[:20])
        await tx.outbox.add(events[20:])

    assert await queued(engine, tenant) == events


async def test_an_event_without_a_subject_keeps_its_instant_to_the_microsecond(begin, engine, tenant):
    elsewhere = an_event(subject=None, at=NOON.astimezone(timezone(timedelta(hours=-8))))
    async with begin(tenant) as tx:
        await tx.outbox.add([elsewhere])

    assert await queued(engine, tenant) == [an_event(subject=None)]


async def test_adding_nothing_is_allowed(begin, engine, tenant):
    async with begin(tenant) as tx:
        await tx.outbox.add([])

    assert await queued(engine, tenant) == []


async def test_an_event_whose_cause_fails_is_never_told(begin, engine, tenant):
    async def cause() -> None:
        async with begin(tenant) as tx:
            await tx.outbox.add([an_event()])
            raise RuntimeError("the cause failed")

    with pytest.raises(RuntimeError):
        await cause()

    assert await queued(engine, tenant) == []


async def test_another_tenant_sees_nothing_of_it(begin, engine, tenant, add_tenant):
    async with begin(tenant) as tx:
        await tx.outbox.add([an_event()])

    assert await queued(engine, add_tenant()) == []
