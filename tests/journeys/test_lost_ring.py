"""A service whose root key is gone says so, makes no new one, and goes on with everything else."""

import asyncio
import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from service import given, operations
from service.kernel import TenantId
from service.root_keys import guarded_root_keys, root_uses
from service.settings import Settings
from service.vault.keys import Keys
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running, volens
from tests.journeys.test_core_dumps import wait_for_start


@pytest.fixture(scope="module")
def lost(installation: Installation) -> Path:
    """Have the vault used once, and lose the file of the root key."""
    data = Path(installation.env["VOLENS_DATA_DIR"])

    async def use() -> None:
        async with operations.transactions(installation.urls.app) as begin:
            async with guarded_root_keys(Settings(data_dir=str(data)), root_uses(begin)) as ring:
                await Keys(ring, begin, given.utc_now, keep=timedelta()).suppression_key(TenantId("acme"))

    asyncio.run(use())
    (data / "root.keys").unlink()
    return data / "root.keys"


def test_it_is_said_and_no_new_key_is_made_and_decisions_go_on(installation: Installation, lost: Path):
    with running("serve", "--port", "0", env=installation.env) as service:
        client = Client(service.url, installation.token)
        status, decision = client(
            "POST", "/v1/decisions", {"subject": "ann", "channel": "email", "purpose": "marketing"}
        )
        client.close()

    assert (status, decision["decision"]) == (200, "deny")
    assert "1 keys of the vault are wrapped by the key ring `file`, which is not there" in said(service.printed)
    assert not lost.exists()


def test_the_worker_says_it_in_the_same_words_and_works_on(installation: Installation, lost: Path):
    with (
        running("serve", "--port", "0", env=installation.env) as service,
        running("work", env=installation.env) as work,
    ):
        assert service.url
        wait_for_start(work, "worker_started")
        assert work.process.poll() is None

    assert said(work.printed) == said(service.printed)
    assert not lost.exists()


def test_a_worker_makes_no_root_key(installation: Installation, tmp_path: Path):
    with running("work", env={**installation.env, "VOLENS_KEY_RING_PATH": str(tmp_path / "other.keys")}) as work:
        wait_for_start(work, "worker_started")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["work"]], ids=lambda command: command[0])
def test_a_ring_that_others_can_read_is_refused_at_the_start(installation: Installation, tmp_path: Path, command):
    place = tmp_path / "root.keys"
    place.touch(mode=0o644)

    refused = volens(*command, env={**installation.env, "VOLENS_KEY_RING_PATH": str(place)}, check=False)

    assert refused.returncode == 3
    assert "root.keys" in refused.stderr


def said(printed: Iterable[str]) -> str:
    lines = [json.loads(line) for line in printed if line.startswith("{")]
    [cause] = [line["cause"] for line in lines if line["event"] == "key_ring_lost"]
    return str(cause)
