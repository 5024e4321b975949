"""`make run`, as a newcomer sees it."""

import re
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import psutil

from tests.journeys.processes import Client, Service, environment, running, volens


def test_the_demo_permits_one_and_refuses_one_and_a_second_start_finds_its_data(tmp_path: Path) -> None:
    env = environment(tmp_path / "data")
    with running("up", "--demo", "--port", "0", env=env) as service:
        wait_for(service, "/docs")
        client = Client(
            service.url, volens("token", "--tenant", "demo", "--scope", "decide audit:read", env=env).stdout.strip()
        )
        _, permitted = client("POST", "/v1/decisions", {"subject": "anna", "channel": "email", "purpose": "marketing"})
        _, refused = client("POST", "/v1/decisions", {"subject": "ben", "channel": "email", "purpose": "marketing"})
        client.close()
        assert (permitted["decision"], refused["decision"]) == ("permit", "deny")
        printed = " ".join(service.text.split())  # lines are wrapped
        assert "GET /v1/vault/anna: a•••@m•••.example" in printed
        assert "200, {'email': 'anna@mail.example'}" in printed
        assert "403, the decision is no, so nothing was opened" in printed
        assert "ben@mail.example" not in printed
        assert all(reason["citation"] for reason in permitted["reasons"] + refused["reasons"])
        children = psutil.Process(service.process.pid).children(recursive=True)
        assert children, "the database runs under the service"
        command = next(line for line in service.printed if line.startswith("python3 -m zipfile"))
        judged = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "3 payloads are what entries record.stored commit to" in judged.stdout
        assert "3 receipts are about entries" in judged.stdout
        assert judged.stdout.endswith(" 0 wrong\n")
        hers = next(line for line in service.printed if line.endswith("# then open anna/index.html"))
        subprocess.run(["sh", "-c", hers], cwd=tmp_path, check=True)
        assert "anna@mail.example" in (tmp_path / "anna" / "index.html").read_text()
        verify = next(line for line in service.printed if line.startswith("python3 pack/verify.py"))
        certified = subprocess.run(["sh", "-c", verify], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "stands for the erasure of request" in certified.stdout
        assert certified.stdout.endswith(" 0 wrong\n")
        assert service.stop(signal.SIGINT) == 0
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive

    printed = service.text
    assert re.search(r"May we send anna marketing by e-mail\?", printed)
    assert "permit" in printed
    assert "EU-CON-06" in printed
    assert "GDPR Art. 7(3)" in printed
    assert f"{service.url}/docs" in printed

    with running("up", "--port", "0", env=env) as again:
        scope = "records:read requests:write requests:manage"
        client = Client(again.url, volens("token", "--tenant", "demo", "--scope", scope, env=env).stdout.strip())
        status, history = client("GET", "/v1/subjects/ben/records")
        assert status == 200
        assert [record["action"] for record in history["records"]] == ["opt_in", "opt_out"]
        _, answered = client("GET", "/v1/requests?state=answered")
        assert "erasure" in {each["right"] for each in answered["requests"]}
        erase(client, "ben")
        client.close()

    with running("up", "--demo", "--port", "0", env=env) as without_ben:
        wait_for(without_ben, "/docs")
        assert "The demo ends here: somebody of whom the demo asks is not there any more" in without_ben.text


def erase(client: Client, subject: str) -> None:
    request = f"/v1/requests/{uuid4()}"
    asked = {"id": request.rpartition("/")[2], "subject": subject, "right": "erasure", "via": "phone"}
    assert client("POST", "/v1/requests", asked)[0] == 201
    assert client("POST", f"{request}/verify", {"version": 1, "reason": "staff_decision"})[0] == 200
    assert client("POST", f"{request}/execute", {"version": 2})[0] == 200
    for _ in range(600):
        if client("GET", f"{request}/certificate")[0] == 200:
            return
        time.sleep(0.1)
    raise AssertionError("nobody was erased")


def wait_for(service: Service, text: str) -> None:
    for _ in range(600):
        if text in service.text:
            return
        time.sleep(0.1)
    raise AssertionError(f"{text!r} was never printed:\n{service.text}")


def test_the_printed_curl_works(tmp_path: Path) -> None:
    env = environment(tmp_path / "data")
    with running("up", "--demo", "--port", "0", env=env) as service:
        assert service.url
        wait_for(service, "curl -s")
        line = next(line for line in service.printed if line.startswith("curl -s"))
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        assert '"decision":"permit"' in answer.stdout.replace(" ", "")
