"""People whom other systems know as well: an erasure while one of them is down, and an access to which one adds."""

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.journeys.commands import typed
from tests.journeys.conftest import Installation
from tests.journeys.erased import ask, certified, eventually, execute, keys_of, move, settle_in
from tests.journeys.processes import Client, running, volens


class Crm(BaseHTTPRequestHandler):
    """A connected system that is down for the first requests, and then confirms at once."""

    down = 0
    heard: list[Any] = []  # noqa: RUF012, a test takes it anew

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))["data"]
        type(self).heard.append(told)
        up = len(self.heard) > type(self).down
        body = json.dumps({"task": told["task"], "outcome": "confirmed"}).encode() if up else b""
        self.send_response(200 if up else 503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Print nothing."""


@contextmanager
def crm(*, down: int) -> Iterator[str]:
    Crm.heard, Crm.down = [], down
    server = ThreadingHTTPServer(("127.0.0.1", 0), Crm)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def opened(installation: Installation) -> Installation:
    env = {**installation.env, "VOLENS_DOWNSTREAM_HTTP": "true", "VOLENS_DOWNSTREAM_NETWORKS": "127.0.0.0/8"}
    return Installation(env=env, urls=installation.urls, token=installation.token)


def token(installation: Installation, *who: str) -> str:
    return volens("token", "--tenant", "acme", *who, env=installation.env).stdout.strip()


def register(to: Client, name: str, **said: Any) -> None:
    assert to("PUT", f"/v1/downstreams/{name}", said)[0] == 201


def let_pauses_be_over(installation: Installation) -> None:
    """The second pause of a system that is down is five minutes."""
    with psycopg.connect(installation.urls.owner) as owner:
        owner.execute("GRANT UPDATE ON downstream_task TO volens_owner")
        owner.execute("UPDATE downstream_task SET next_at = now() WHERE attempts = 2 AND next_at > now()")


def test_an_erasure_with_two_systems_of_which_one_fails_first(opened: Installation, tmp_path: Path):
    with crm(down=2) as url, running("serve", "--port", "0", env=opened.env) as service:
        with closing(Client(service.url, opened.token)) as client, running("work", env=opened.env):
            ledger = Client(service.url, token(opened, "--scope", "downstreams:tasks", "--client", "ledger"))
            register(client, "crm", kind="webhook", url=url, takes=["erase"], identities=["email"])
            register(client, "ledger", kind="pull", client="ledger", takes=["erase"])
            settle_in(client, "anna")
            request = ask(client, "anna")
            execute(client, request)

            [task] = eventually(lambda: ledger("GET", "/v1/downstreams/ledger/tasks")[1]["tasks"])
            assert (task["kind"], task["subjects"], task["identities"]) == ("erase", ["anna"], [])
            answer = {"task": task["id"], "outcome": "refused", "ground": "legal_obligation"}
            assert ledger("POST", f"/v1/downstreams/ledger/tasks/{task['id']}/refuse", answer)[0] == 200
            eventually(lambda: len(Crm.heard) == 2)
            assert move(client, request, "complete")[1]["type"].endswith("/certificate_needed")
            assert client("GET", f"/v1/requests/{request}/certificate")[0] == 409

            eventually(lambda: let_pauses_be_over(opened) or len(Crm.heard) == 3)
            certificate = certified(client, request)
            ledger.close()
            assert [told["identities"] for told in Crm.heard] == [[{"type": "email", "value": "anna@mail.example"}]] * 3
            place, keys = tmp_path / "certificate.json", keys_of(client, tmp_path / "keys.txt")
            place.write_text(json.dumps(certificate))
            assert typed("audit", "verify", "--keys", str(keys), str(place), env={}).exit_code == 0
            said = certificate["certificate"].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))["erasure"]
            answers = [(each["system"], each["state"], each.get("ground")) for each in claims["downstreams"]]
            assert answers == [("crm", "confirmed", None), ("ledger", "refused", "legal_obligation")]
            for name in ("complete", "close"):
                assert move(client, request, name)[0] == 200
            for name in ("crm", "ledger"):
                assert httpx.delete(
                    f"{service.url}/v1/downstreams/{name}", headers={"authorization": f"Bearer {opened.token}"}
                ).is_success


def test_an_access_to_which_a_system_adds_a_file(opened: Installation):
    with running("serve", "--port", "0", env=opened.env) as service:
        with closing(Client(service.url, opened.token)) as client, running("work", env=opened.env):
            ledger = Client(service.url, token(opened, "--scope", "downstreams:tasks", "--client", "ledger"))
            register(client, "ledger", kind="pull", client="ledger", takes=["access"])
            settle_in(client, "bea")
            request = ask(client, "bea", "access")
            execute(client, request)

            [task] = eventually(lambda: ledger("GET", "/v1/downstreams/ledger/tasks")[1]["tasks"])
            assert (task["kind"], task["subjects"]) == ("access", ["bea"])
            file, content = str(uuid4()), b'{"invoices": ["2026-0017"]}'
            said = {"task": task["id"], "file": file, "name": "invoices.json", "media_type": "application/json"}
            said["content"] = base64.b64encode(content).decode()
            path = f"/v1/downstreams/ledger/tasks/{task['id']}"
            assert ledger("PUT", f"{path}/files/{file}", said)[0] == 201
            assert client("GET", f"/v1/requests/{request}/package")[1]["state"] == "waiting"
            assert ledger("POST", f"{path}/confirm", {"task": task["id"], "outcome": "confirmed"})[0] == 200
            ledger.close()

            eventually(lambda: client("GET", f"/v1/requests/{request}/package")[1]["state"] == "ready")
            own = {"authorization": f"Bearer {token(opened, '--scope', 'self', '--subject', 'bea')}"}
            fetched = httpx.get(f"{service.url}/v1/requests/{request}/package/file", headers=own)
            package = zipfile.ZipFile(io.BytesIO(fetched.content))
            assert package.read("connected/ledger/0001-invoices.json") == content
            eventually(lambda: client("GET", f"/v1/requests/{request}")[1]["state"] == "answered")
            assert move(client, request, "close")[0] == 200
            with psycopg.connect(opened.urls.owner) as owner:
                left = "SELECT count(*) FROM downstream_file"
                eventually(lambda: owner.execute(left).fetchone() == (0,))
