"""A service whose root key is gone says so, makes no new one, and goes on with everything else."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from service import app, operations
from service.kernel import TenantId
from service.root_keys import guarded_root_keys
from service.settings import Settings
from service.vault.keys import Keys
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running


@pytest.fixture
async def lost(installation: Installation) -> Path:
    """Have the vault used once, and lose the file of the root key."""
    data = Path(installation.env["VOLENS_DATA_DIR"])
    async with operations.transactions(installation.urls.app) as begin:
        async with guarded_root_keys(Settings(data_dir=str(data)), app.root_uses(begin)) as ring:
            await Keys(ring, begin, app.utc_now, keep=timedelta()).suppression_key(TenantId("acme"))
    (data / "root.keys").unlink()
    return data / "root.keys"


def test_it_is_said_and_no_new_key_is_made_and_decisions_go_on(installation: Installation, lost: Path):
    with running("serve", "--port", "0", env=installation.env) as service:
        client = Client(service.url, installation.token)
        status, decision = client(
            "POST", "/v1/decisions", {"subject": "ann", "channel": "email", "purpose": "marketing"}
        )
        client.close()
    lines = [json.loads(line) for line in service.printed if line.startswith("{")]

    assert (status, decision["decision"]) == (200, "deny")
    [said] = [line for line in lines if line["event"] == "key_ring_lost"]
    assert "1 keys of the vault are wrapped by the key ring `file`, which is not there" in said["cause"]
    assert not lost.exists()
