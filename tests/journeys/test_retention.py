"""What is past its retention goes: at an operator's word, and by the worker itself."""

import asyncio
import io
import json
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import psycopg
import pytest
from procrastinate.testing import InMemoryConnector

from service import given, operations, worker
from service.kernel import TenantId
from service.telemetry import Telemetry
from service.vault.fields import BUILT_IN
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ACME = TenantId("acme")


@pytest.fixture(scope="module")
def retaining(installation: Installation) -> Installation:
    async def store() -> None:
        email = msgspec.structs.replace(BUILT_IN["email"], retention_days=30)
        async with operations.transactions(installation.urls.app) as begin, begin(ACME) as tx:
            await tx.values.add_field(email, LONG_AGO, "officer")

    asyncio.run(store())
    return installation


@pytest.fixture
def replaced(retaining: Installation) -> Installation:
    """Have three people with two versions of their address each."""
    with psycopg.connect(retaining.urls.admin) as connection:
        for handle in [uuid4() for _ in range(3)]:
            for version in (1, 2):
                connection.execute(
                    "INSERT INTO vault_value VALUES ('acme', %s, 'email', '', %s, 's', %s, 'crm')",
                    (handle, version, LONG_AGO),
                )
    return retaining


def kept(installation: Installation) -> int:
    with psycopg.connect(installation.urls.admin) as connection:
        found = connection.execute("SELECT count(*) FROM vault_value WHERE version = 1").fetchone()
    assert found is not None
    return int(found[0])


def test_an_operator_sees_what_would_go_before_it_goes(replaced: Installation):
    asked = typed("vault", "expire", "--dry-run", env=replaced.env)
    assert asked.stdout == "acme  email  retention 30 days: 3 versions would go\n"
    assert kept(replaced) == 3

    done = typed("vault", "expire", "--tenant", "acme", "--json", env=replaced.env)
    email = {"tenant": "acme", "field": "email", "retention_days": 30, "removed": 3, "held": 0}
    assert json.loads(done.stdout) == {"dry_run": False, "fields": [email]}
    assert kept(replaced) == 0
    again = typed("vault", "expire", env=replaced.env)
    assert again.stdout == "acme  email  retention 30 days: 0 versions removed\n"


def test_a_tenant_that_is_not_there_is_refused(retaining: Installation):
    assert "there is no tenant nobody" in refusal(typed("vault", "expire", "--tenant", "nobody", env=retaining.env))


async def test_the_worker_does_it_by_itself_and_tells_how_many(replaced: Installation):
    lines = io.BytesIO()
    telemetry = Telemetry(given.utc_now, stream=lines)
    jobs = worker.build(replaced.urls.worker, telemetry).with_connector(InMemoryConnector())

    await jobs.tasks["expire_versions"](timestamp=0)

    assert kept(replaced) == 0
    [said] = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (said["event"], said["tenant"], said["count"]) == ("versions_expired", "acme", 3)
    assert telemetry.registry.get_sample_value("volens_vault_versions_expired_total") == 3


def test_the_worker_does_it_four_times_a_day_and_needs_no_lock_that_a_killed_one_would_hold(retaining: Installation):
    jobs = worker.build(retaining.urls.worker, Telemetry(given.utc_now, stream=io.BytesIO()))
    [planned] = [each for each in jobs.periodic_registry.periodic_tasks.values() if each.task.name == "expire_versions"]

    assert planned.cron == "23 */6 * * *"
    assert planned.task.lock is None


# --- content ----------------------------------------------------------------------------------


@pytest.fixture
def old_events(installation: Installation) -> Installation:
    """Have three events that nobody came for, and a hold of nobody's."""
    with psycopg.connect(installation.urls.admin) as connection:
        for _ in range(3):
            connection.execute(
                "INSERT INTO outbox (tenant, id, type, object_id, at) VALUES ('acme', %s, 'record.stored', 'r', %s)",
                (uuid4(), LONG_AGO),
            )
    return installation


def waiting(installation: Installation) -> int:
    with psycopg.connect(installation.urls.admin) as connection:
        found = connection.execute("SELECT count(*) FROM outbox WHERE at = %s", (LONG_AGO,)).fetchone()
    assert found is not None
    return int(found[0])


def test_an_operator_sees_which_content_would_go_before_it_goes(old_events: Installation):
    asked = json.loads(typed("audit", "expire", "--dry-run", "--json", env=old_events.env).stdout)
    assert {each["content"]: each["removed"] for each in asked["content"]} == {
        "record": 0, "decision": 0, "batch": 0, "facts": 0, "subject": 0, "event": 3, "request": 0,
    }  # fmt: skip
    assert waiting(old_events) == 3

    done = typed("audit", "expire", "--tenant", "acme", env=old_events.env).stdout
    assert "acme  event  of " in done
    assert "3 removed, 0 held" in done
    assert waiting(old_events) == 0
    assert "there is no tenant nobody" in refusal(typed("audit", "expire", "--tenant", "nobody", env=old_events.env))


async def test_the_worker_expires_content_by_itself_and_tells_how_much(old_events: Installation):
    lines = io.BytesIO()
    telemetry = Telemetry(given.utc_now, stream=lines)
    jobs = worker.build(old_events.urls.worker, telemetry).with_connector(InMemoryConnector())
    [planned] = [each for each in jobs.periodic_registry.periodic_tasks.values() if each.task.name == "expire_content"]

    await jobs.tasks["expire_content"](timestamp=0)

    assert waiting(old_events) == 0
    [said] = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (said["event"], said["tenant"], said["job"], said["count"]) == ("content_expired", "acme", "event", 3)
    assert (planned.cron, planned.task.lock) == ("41 2 * * *", None)
