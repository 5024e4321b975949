"""docs/runbooks/downstream-silent.md does what it says; and a worker that is killed with tasks in hand loses none."""

import asyncio
import json
import re
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from uuid_utils.compat import uuid7

from service import connecting, db, given, operations
from service.downstreams import LEASE, Identity, Person, TaskKind
from service.kernel import Caller, Handle, SubjectId, TenantId
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, Service, running

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbooks" / "downstream-silent.md"
ACME = TenantId("acme")


class Told(BaseHTTPRequestHandler):
    """A connected system that answers with a status; with 200 it confirms at once."""

    status = 200
    pause = 0.0
    heard: list[str] = []  # noqa: RUF012, a test takes it anew

    def do_POST(self) -> None:
        task = json.loads(self.rfile.read(int(self.headers["content-length"])))["data"]["task"]
        type(self).heard.append(task)
        time.sleep(type(self).pause)
        body = json.dumps({"task": task, "outcome": "confirmed"}).encode() if self.status == 200 else b""
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Print nothing."""


@contextmanager
def listening() -> Iterator[str]:
    Told.heard, Told.status, Told.pause = [], 200, 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
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


async def assign(installation: Installation, number: int) -> None:
    """Have as many cases tell the systems something."""
    settings = Settings(data_dir=installation.env["VOLENS_DATA_DIR"])
    by = Caller(tenant=ACME, actor="crm", request="req-1")
    tell = connecting.assigning(settings, given.utc_now, given.new_id)
    person = Person(subjects=(SubjectId("ada"),), identities=(Identity("email", "ada@mail.example"),))
    async with operations.transactions(installation.urls.app) as begin:
        async with guarded_root_keys(settings, root_uses(begin)) as root:
            engine = db.engine(installation.urls.app)
            key = await vault_keys(settings, root, engine).box_key(ACME)
            await engine.dispose()
        for _ in range(number):
            async with begin(ACME) as tx:
                await tell(tx, key, uuid7(), Handle(uuid7()), TaskKind.ERASE, person, by=by)


def expired(installation: Installation) -> int:
    """Have the minute pass for which a worker has tasks; return how many one has."""
    with psycopg.connect(installation.urls.admin) as database:
        return database.execute(
            "UPDATE downstream_task SET next_at = next_at - %s WHERE next_at > now()", (LEASE,)
        ).rowcount


def states(client: Client) -> list[str]:
    _, answer = client("GET", "/v1/downstream-tasks")
    return [task["state"] for task in answer["tasks"]]


def wait_for(client: Client, wanted: list[str]) -> None:
    for _ in range(300):
        if sorted(states(client)) == sorted(wanted):
            return
        time.sleep(0.1)
    assert sorted(states(client)) == sorted(wanted)


def asked() -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and body of each request that the runbook shows."""
    for line in RUNBOOK.read_text().splitlines():
        if found := re.match(r"\s+ask (.*)", line):
            words = shlex.split(found[1])
            options = {words.pop(i): words.pop(i) for i in range(len(words) - 1, -1, -1) if words[i] in {"-X", "-d"}}
            body = json.loads(options["-d"]) if "-d" in options else None
            yield options.get("-X", "GET" if body is None else "POST"), words[0].removeprefix("$VOLENS"), body


def register(client: Client, url: str) -> None:
    said = {"kind": "webhook", "url": url, "takes": ["erase"]}
    status, answer = client("PUT", "/v1/downstreams/crm", said)
    assert status in {200, 201}, answer


def test_a_silent_system_is_dealt_with_as_the_runbook_says(opened: Installation):
    look, repeat, excuse, look_again = asked()
    with listening() as url, running("serve", "--port", "0", env=opened.env) as service:
        with running("work", env=opened.env), closing(Client(service.url, opened.token)) as client:
            register(client, url)
            Told.status = 410
            asyncio.run(assign(opened, 2))
            wait_for(client, ["silent", "silent"])
            mended, given_up = client(*look)[1]["tasks"]
            assert {mended["fault"], given_up["fault"]} == {"gone"}

            Told.status = 200
            method, path, body = repeat
            assert client(method, path.replace("$TASK", mended["id"]), body)[0] == 200
            method, path, body = excuse
            assert client(method, path.replace("$TASK", given_up["id"]), body)[0] == 200
            wait_for(client, ["confirmed", "excused"])
            assert client(*look_again)[1] == {"tasks": []}


def test_a_worker_that_is_killed_with_tasks_in_hand_loses_none(opened: Installation):
    with listening() as url, running("serve", "--port", "0", env=opened.env) as service:
        with closing(Client(service.url, opened.token)) as client:
            register(client, url)
            before = len(states(client))
            Told.pause = 2.0
            asyncio.run(assign(opened, 3))
            worker = Service("work", env=opened.env)
            for _ in range(300):
                if len(Told.heard) == 3:
                    break
                time.sleep(0.1)
            worker.stop(signal.SIGKILL)
            assert states(client)[before:] == ["open"] * 3
            assert len(Told.heard) == 3
            assert expired(opened) == 3, "until then nobody else takes what it had in hand"

            Told.pause = 0.0
            with running("work", env=opened.env):
                for _ in range(300):
                    if states(client)[before:] == ["confirmed"] * 3:
                        break
                    time.sleep(0.1)
            assert states(client)[before:] == ["confirmed"] * 3
            assert len(Told.heard) == 6, "each once more"
