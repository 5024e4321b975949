"""Several processes behind one port: promise 1 holds across them, and none is missed for long."""

import os
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, Service, running
from tests.journeys.test_withdrawal import ask, record

WORKERS = 3


@pytest.fixture(scope="module")
def service(installation: Installation) -> Iterator[Service]:
    with running("serve", "--workers", str(WORKERS), "--port", "0", env=installation.env) as service:
        assert service.url
        yield service


def metrics(service: Service) -> str:
    return httpx.get(f"{service.url}/metrics", timeout=30).text


def workers(service: Service) -> dict[int, int]:
    """Return the processes that answer: when each began, as their metrics have it, by worker."""
    found = re.findall(r'^process_start_time_seconds\{worker="(\d+)"\} (\S+)$', metrics(service), flags=re.MULTILINE)
    return {int(worker): int(float(since) * 100) for worker, since in found}


def children(pid: int) -> list[int]:
    """Return the workers of a process, without multiprocessing's own helper."""
    ids = (int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in ids if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def anew(service: Service, installation: Installation, subject: str) -> str:
    """Ask over a connection of its own."""
    client = Client(service.url, installation.token)
    try:
        return ask(client, subject)[0]
    finally:
        client.close()


def test_a_withdrawal_over_one_connection_is_seen_over_every_other(service: Service, installation: Installation):
    writer = Client(service.url, installation.token)
    for turn in range(8):
        subject, now = f"w-{turn}", datetime.now(UTC)
        writer("PUT", f"/v1/subjects/{subject}", {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
        agreed = record(subject, "opt_in", "double_opt_in", now - timedelta(days=1))
        assert writer("POST", "/v1/records", {"records": [agreed]})[0] == 201
        assert {anew(service, installation, subject) for _ in range(8)} == {"permit"}

        refused = record(subject, "opt_out", "unsubscribe_link", now)
        assert writer("POST", "/v1/records", {"records": [refused]})[0] == 201

        assert {anew(service, installation, subject) for _ in range(8)} == {"deny"}
    writer.close()


def test_a_permit_is_used_up_once_whoever_is_asked(service: Service, installation: Installation):
    writer = Client(service.url, installation.token)
    writer("PUT", "/v1/subjects/p", {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
    writer("POST", "/v1/records", {"records": [record("p", "opt_in", "double_opt_in", datetime.now(UTC))]})
    question = {"subject": "p", "channel": "email", "purpose": "marketing", "permit": {"audience": "relay"}}
    permits = [writer("POST", "/v1/decisions", question)[1]["permit"] for _ in range(4)]
    writer.close()

    for permit in permits:
        burning = {"permit": permit, "audience": "relay", "burn": True}
        told = []
        for _ in range(WORKERS):
            client = Client(service.url, installation.token)
            told.append(client("POST", "/v1/permits/verify", burning)[1]["why"])
            client.close()
        assert told == [None, "burned", "burned"]


def test_whichever_is_asked_tells_what_all_measure(service: Service):
    told = metrics(service)

    assert f"volens_workers {float(WORKERS)}" in told
    assert sorted(workers(service)) == [1, 2, 3]
    assert set(re.findall(r'^volens_requests_at_once\{worker="(\d+)"\}', told, flags=re.MULTILINE)) == {"1", "2", "3"}
    assert told.count("# TYPE volens_request_seconds histogram") == 1
    assert [line for line in service.printed if line.startswith("ready ")] == [f"ready {service.url}"]


def test_one_that_dies_is_started_again_and_the_others_go_on(service: Service, installation: Installation):
    before = workers(service)
    dying = children(service.process.pid)[0]
    os.kill(dying, signal.SIGKILL)
    ends = monotonic() + 60
    while (now := workers(service)).keys() != before.keys() or now == before:
        assert monotonic() < ends
        assert anew(service, installation, "w-0") == "deny"
        sleep(0.05)

    assert len([worker for worker, since in now.items() if before[worker] != since]) == 1
    assert any('"worker_died"' in line and '"outcome":-9' in line for line in service.printed), service.text
    assert len(children(service.process.pid)) == WORKERS


def test_all_end_with_the_signal(installation: Installation):
    with running("serve", "--workers", "2", "--port", "0", env=installation.env) as service:
        assert service.url
        started = children(service.process.pid)
        assert service.stop(signal.SIGTERM) == 0

    assert len(started) == 2
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
    assert "worker_died" not in service.text


def test_none_outlives_the_parent(installation: Installation):
    with running("serve", "--workers", "2", "--port", "0", env=installation.env) as service:
        assert service.url
        started = children(service.process.pid)
        service.stop(signal.SIGKILL)
        ends = monotonic() + 60
        while [pid for pid in started if Path(f"/proc/{pid}").exists()]:
            assert monotonic() < ends
            sleep(0.05)


def test_what_cannot_start_says_why_and_ends(installation: Installation, tmp_path: Path):
    keys = tmp_path / "root.keys"
    keys.write_text("no keys")
    keys.chmod(0o600)
    env = {**installation.env, "VOLENS_KEY_RING_PATH": str(keys)}
    with running("serve", "--workers", "2", "--port", "0", env=env) as service:
        assert service.process.wait(60) == 1

    assert not [line for line in service.printed if line.startswith("ready ")]
    assert "volens: a worker ended before it answered" in service.text
    assert "Traceback" not in service.text
