"""What the worker knows can be read from it, where an operator names a port."""

import json
import re
import time

import httpx
import pytest

from tests.journeys.conftest import Installation
from tests.journeys.processes import Service, running, volens


@pytest.fixture
def port_of():
    def port_of(worker: Service) -> int:
        for _ in range(600):
            for line in [*worker.printed]:
                if '"worker_measured"' in line:
                    return int(json.loads(line)["port"])
            time.sleep(0.1)
        raise AssertionError(worker.text)

    return port_of


def test_the_worker_answers_metrics_and_nothing_else(installation: Installation, port_of):
    with running("work", env=dict(installation.env) | {"VOLENS_WORK_PORT": "0"}) as worker:
        at = f"http://127.0.0.1:{port_of(worker)}"
        answer = httpx.get(f"{at}/metrics")
        others = [
            httpx.get(f"{at}{path}").status_code for path in ("/", "/health/live", "/docs", "/schema", "/v1/policy")
        ]
        posted = httpx.post(f"{at}/metrics").status_code

        taken = volens("work", env=dict(installation.env) | {"VOLENS_WORK_PORT": at.rpartition(":")[2]}, check=False)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert re.search(r"^volens_requests_overdue ", answer.text, re.MULTILINE)
    assert (others, posted) == ([404] * 5, 405)
    assert taken.returncode != 0
    assert "VOLENS_WORK_PORT" in taken.stderr + taken.stdout
    assert worker.process.returncode == 0


def test_without_a_port_the_worker_listens_nowhere(installation: Installation):
    with running("work", env=installation.env) as worker:
        while '"worker_started"' not in worker.text:
            time.sleep(0.1)
        time.sleep(1)

    assert "worker_measured" not in worker.text
    assert worker.process.returncode == 0
