"""The audit log over real processes: signed while the service runs, proved offline, halted by a restored database."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.audit.notes import Checkpoint
from tests.conftest import at
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, Service, environment, running, volens

QUESTION = {"subject": "ann", "channel": "email", "purpose": "marketing"}


def until(what: Callable[[], Any]) -> Any:
    """Return what is true within half a minute."""
    for _ in range(300):
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("not within half a minute")


@pytest.fixture
def service(installation: Installation) -> Iterator[Service]:
    with running("serve", "--port", "0", env=installation.env) as service:
        yield service


def decide(service: Service, token: str) -> str:
    client = Client(service.url, token)
    status, decision = client("POST", "/v1/decisions", QUESTION)
    client.close()
    assert status == 200
    return str(decision["id"])


def proof_of(service: Service, token: str, decision: str) -> str | None:
    client = Client(service.url, token)
    proof = client.text(f"/v1/audit/proofs/inclusion?decision={decision}")
    client.close()
    return proof if proof.startswith("c2sp.org/") else None


def verify(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return volens("audit", "verify", *arguments, env=env, check=False)


def test_a_decision_is_proved_offline_with_nothing_but_what_was_handed_out(
    installation: Installation, service: Service, tmp_path: Path
):
    with running("work", env=installation.env):
        decision = decide(service, installation.token)
        proof = until(lambda: proof_of(service, installation.token, decision))
    client = Client(service.url, installation.token)
    _, keys = client("GET", "/.well-known/volens/log-keys?tenant=acme")
    client.close()
    (tmp_path / "proof").write_text(proof)
    (tmp_path / "keys").write_text("\n".join(key["verifier_key"] for key in keys["keys"]) + "\n")
    nowhere = environment(tmp_path / "nowhere")

    held = verify(nowhere, "--keys", str(tmp_path / "keys"), str(tmp_path / "proof"))
    lines = proof.split("\n")
    (tmp_path / "proof").write_text(
        "\n".join([*lines[:2], "index 0" if lines[2] != "index 0" else "index 1", *lines[3:]])
    )
    broken = verify(nowhere, "--keys", str(tmp_path / "keys"), str(tmp_path / "proof"))

    assert (held.returncode, "1 proved, 0 wrong" in held.stdout) == (0, True)
    assert (broken.returncode, "INCLUSION" in broken.stdout) == (1, True)


def test_a_restored_database_halts_the_log_until_an_operator_says_that_it_goes_on(
    installation: Installation, new_database: Any, server: Any
):
    yesterday = new_database(empty=True)
    name = yesterday.owner.partition("?")[0].rpartition("/")[2]
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        decision = decide(service, installation.token)
        until(lambda: proof_of(service, installation.token, decision))
    _copy(server, installation.urls.owner, name)
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        decision = decide(service, installation.token)
        until(lambda: proof_of(service, installation.token, decision))
    assert verify(installation.env).returncode == 0
    restored = environment(Path(installation.env["VOLENS_DATA_DIR"]), at(server, name))

    with running("serve", "--port", "0", env=restored) as service:
        with running("work", env=restored) as work:
            until(lambda: '"event":"log_halted"' in work.text)
        client = Client(service.url, installation.token)
        status, readiness = client("GET", "/health/ready")
        found = verify(restored)
        assert (status, readiness["checks"]["log"], readiness["degraded"]) == (200, False, ["log"])
        assert (found.returncode, "it was restored" in found.stdout) == (1, True)

        told = json.loads(volens("audit", "recover", "--tenant", "acme", "--json", env=restored).stdout)
        with running("work", env=restored):
            decision = decide(service, installation.token)
            until(lambda: proof_of(service, installation.token, decision))
        status, readiness = client("GET", "/health/ready")
        _, entries = client("GET", "/v1/audit/entries?event=log.recovered")
        again = volens("audit", "recover", "--tenant", "acme", env=restored, check=False)
        client.close()

    assert (status, readiness["checks"]["log"], readiness["degraded"]) == (200, True, [])
    lost = Checkpoint.parse(Path(told["set_aside"]).read_text())
    assert entries["entries"][0]["object_id"] == f"{lost.size}:{lost.root.hex()}"
    assert verify(restored).returncode == 0
    assert (again.returncode, "nothing halts the log" in again.stderr) == (1, True)


def _copy(server: Any, owner: str, name: str) -> None:
    """Copy the database as it is now, as a backup does."""
    source = owner.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server.admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (source,),
        )
        connection.execute(f"CREATE DATABASE {name} OWNER volens_owner TEMPLATE {source}")
