"""One data folder: what runs beside `volens up`, what does not, and how `up` ends."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.postgres_trials import is_free
from tests.journeys.commands import refusal, typed
from tests.journeys.processes import Client, Service, environment, running


def asked(url: str, token: str, method: str, path: str, body: Any = None) -> Any:
    client = Client(url, token)
    _, answer = client(method, path, body)
    client.close()
    return answer


def test_other_commands_work_beside_a_running_up_and_a_second_one_is_refused(tmp_path: Path):
    env = environment(tmp_path / "data")
    with running("up", "--port", "0", env=env) as up:
        assert up.url
        assert typed("tenant", "add", "acme", env=env).exit_code == 0
        token = typed("token", "--tenant", "acme", "--scope", "subjects:write records:read", env=env).stdout.strip()
        with running("serve", "--port", "0", env=env) as beside:
            assert asked(up.url, token, "PUT", "/v1/subjects/anna", {"residence": "DE"})["version"] == 1
            assert asked(beside.url, token, "GET", "/v1/subjects/anna")["facts"] == {"residence": "DE"}
        assert typed("state", "rebuild", "--json", env=env).stdout == '{"subjects": 0, "repaired": 0}\n'

        second = typed("up", "--port", "0", env=env)
        assert second.exit_code == 1
        assert "another process runs the database" in refusal(second)
        assert asked(up.url, token, "GET", "/v1/subjects/anna")["version"] == 1
        assert up.stop(signal.SIGINT) == 0
        assert "Traceback" not in up.text
        assert '"level"' not in up.text, "log lines have no place beside what people read"


STAGES = {
    "while the cluster is made": lambda home: any(home.glob("cluster*/base")),
    "while the server starts": lambda home: (home / "server.log").exists(),
    "while the demo is loaded": lambda home: any(home.parent.glob("issuer.key.pem")),
}


@pytest.mark.parametrize(
    ("sign", "stage"),
    [
        (signal.SIGINT, "while the cluster is made"),
        (signal.SIGTERM, "while the server starts"),
        (signal.SIGINT, "while the demo is loaded"),
    ],
)
def test_up_ends_cleanly_when_it_is_stopped(sign: int, stage: str, tmp_path: Path):
    service = Service("up", "--demo", "--port", "0", env=environment(tmp_path / "data"))
    home = tmp_path / "data" / "postgres"
    deadline = time.monotonic() + 30
    while not STAGES[stage](home):
        assert time.monotonic() < deadline, service.text
        time.sleep(0.005)

    assert service.stop(sign) == 0
    assert service.printed == [] or service.printed[0].startswith("ready ")
    assert "Traceback" not in service.text
    assert is_free(tmp_path / "data"), "no process of the database is left"
