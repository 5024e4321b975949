"""`volens keys` as an operator types it."""

import asyncio
import json
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from service import given, operations
from service.kernel import Handle, TenantId
from service.root_keys import guarded_root_keys, root_uses
from service.settings import Settings
from service.vault.keys import Keys
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.processes import VOLENS

PEOPLE = 20_000


def ring(installation: Installation) -> Path:
    return Path(installation.env["VOLENS_DATA_DIR"]) / "root.keys"


async def use(installation: Installation, people: int) -> None:
    """Have a tenant's vault used, and give so many people a key."""
    tenant = TenantId("acme")
    settings = Settings(data_dir=installation.env["VOLENS_DATA_DIR"])
    async with operations.transactions(installation.urls.app) as begin:
        async with guarded_root_keys(settings, root_uses(begin)) as root:
            keys = Keys(root, begin, given.utc_now, keep=timedelta())
            await keys.suppression_key(tenant)
            current = await keys.tenant_key(tenant)
            async with begin(tenant) as tx:
                await keys.ensure_subject_keys(tx.keys, current, [Handle(uuid4()) for _ in range(people)])


@pytest.fixture(scope="module")
def used(installation: Installation) -> Installation:
    asyncio.run(use(installation, PEOPLE))
    return installation


def status(installation: Installation, code: int = 0) -> dict:
    result = typed("keys", "status", "--json", env=installation.env)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def hanging(installation: Installation) -> dict[int, int]:
    """Return how much hangs from each version of the tenant's key."""
    [tenant] = [each for each in status(installation)["tenants"] if each["tenant"] == "acme"]
    return {key["version"]: key["uses"] for key in tenant["keys"] if key["purpose"] == "tenant_key"}


def moved(database: psycopg.Connection) -> int:
    found = database.execute("SELECT count(*) FROM vault_subject_key WHERE tenant_key_version = 2").fetchone()
    database.rollback()
    return found[0]


def test_before_the_vault_is_used_there_is_nothing_and_nothing_is_made(installation: Installation):
    found = status(installation)

    assert (found["current"], found["fault"], found["roots"]) == (None, None, [])
    assert typed("keys", "rotate", "tenant", env=installation.env).stdout == "there are no keys yet\n"
    assert not ring(installation).exists()


def test_the_status_says_what_hangs_from_what(used: Installation):
    found = status(used)

    assert found["roots"] == [{"ring": "file", "version": found["current"], "keys": 2}]
    assert hanging(used) == {1: PEOPLE}
    shown = typed("keys", "status", "--tenant", "acme", env=used.env).stdout
    assert "acme  tenant_key  version 1" in shown
    assert f"{PEOPLE} under it" in shown


def test_a_rotation_that_is_killed_goes_on_at_the_next_call(used: Installation):
    with psycopg.connect(used.urls.admin) as database:
        process = subprocess.Popen([VOLENS, "keys", "rotate", "tenant", "--no-wait"], env=used.env)
        while not moved(database):
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert 0 < moved(database) < PEOPLE, "the kill has to fall into the middle"
    assert sum(hanging(used).values()) == PEOPLE
    again = typed("keys", "rotate", "tenant", "--tenant", "acme", "--no-wait", "--json", env=used.env)

    [done] = json.loads(again.stdout)
    assert (done["version"], done["begun"]) == (2, False)
    assert done["settles_at"] is not None
    assert hanging(used) == {1: 0, 2: PEOPLE}


def test_the_root_key_is_replaced_and_the_status_says_so(used: Installation):
    before = status(used)["current"]
    done = typed("keys", "rotate", "root", env=used.env)
    found = status(used)

    assert found["current"] != before
    assert f"keys are under version {found['current']} of the root key now" in done.stdout
    assert [use["version"] for use in found["roots"]] == [found["current"]]


def test_a_ring_that_is_gone_is_said_and_nothing_is_replaced(used: Installation):
    away = ring(used).rename(ring(used).with_name("away"))
    found = status(used, code=1)
    refused = [typed("keys", "rotate", what, env=used.env) for what in ("root", "tenant")]
    away.rename(ring(used))

    assert "which is not there" in found["fault"]
    assert [result.exit_code for result in refused] == [3, 3]
    assert all("key ring" in refusal(result) for result in refused)


def test_a_tenant_nobody_added_is_refused(used: Installation):
    for command in (["status"], ["rotate", "tenant"]):
        assert "`volens tenant list`" in refusal(typed("keys", *command, "--tenant", "nobody", env=used.env))
