"""A crash leaves no image of memory behind: the keys of the vault are in it."""

import resource
import time

import psutil
import pytest

from tests.journeys.processes import Service, running


@pytest.fixture
def generous():
    """Have this process, and its children, allow core dumps, where the machine lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["work"], ["up", "--port", "0"]], ids=lambda c: c[0])
def test_no_process_of_ours_leaves_a_core_dump(installation, command):
    with running(*command, env=installation.env) as service:
        wait_for_start(service, "worker_started" if command == ["work"] else "ready http://")

        assert psutil.Process(service.process.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)


def wait_for_start(service: Service, text: str) -> None:
    for _ in range(300):
        if text in service.text:
            return
        time.sleep(0.1)
    raise AssertionError(f"{text!r} was never printed:\n{service.text}")
