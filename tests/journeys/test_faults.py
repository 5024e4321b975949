"""Parts that die under a running service: the answer is a problem and a no, and nobody restarts the service for it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
from uuid_utils.compat import uuid7

from service import given, migrating
from service.opa_process import opa_server
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.web.local_issuer import LocalIssuer
from tests.journeys.commands import typed
from tests.journeys.processes import Service, environment, running
from tests.toy_policy import opa

QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}
SCOPES = "decide records:write records:read subjects:write"
OPT_IN = {
    "subject": "anna",
    "channel": "email",
    "purpose": "marketing",
    "action": "opt_in",
    "method": "double_opt_in",
    "evidence": "form and confirmation",
    "notice_version": "v1",
}


class OpaServer:
    """An OPA server that can be killed and comes back at the same address."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._port: int | None = None
        self.url = self.start()

    def start(self) -> str:
        url = self._running.enter_context(opa_server(given.BUILD / "bundle.tar.gz", self._port))
        self._port = urlsplit(url).port
        return url

    def stop(self) -> None:
        self._running.close()


@dataclass(frozen=True)
class Rig:
    """A service and a worker, and the parts that they need in the hands of the test."""

    postgres: EmbeddedPostgres
    urls: DatabaseUrls
    opa: OpaServer
    service: Service
    worker: Service
    issuer: LocalIssuer

    def token(self, tenant: str = "acme", now: datetime | None = None) -> str:
        return self.issuer.sign(
            tenant=tenant,
            scope=SCOPES,
            subject="shop",
            ttl=timedelta(hours=1),
            now=now or datetime.now(UTC),
            new_id=uuid7,
        )

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.token()}"}
        return httpx.request(method, self.service.url + path, json=body, headers=headers, timeout=30)

    def all_at_once(self, *asked: tuple[str, str, Any]) -> list[httpx.Response]:
        with ThreadPoolExecutor(len(asked)) as threads:
            return list(threads.map(lambda one: self.ask(*one), asked))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    opa()
    data: Path = tmp_path_factory.mktemp("data")
    with ExitStack() as stack:
        postgres = EmbeddedPostgres(data)
        urls = stack.enter_context(postgres)
        migrating.apply_migrations(urls)
        server = OpaServer()
        stack.callback(server.stop)
        env = environment(data, urls) | {"VOLENS_OPA_URL": server.url}
        for tenant in ("acme", "later"):
            assert typed("tenant", "add", tenant, env=env).exit_code == 0
        service = stack.enter_context(running("serve", "--port", "0", env=env))
        worker = stack.enter_context(running("work", env=env))
        rig = Rig(postgres, urls, server, service, worker, LocalIssuer.open(data, "volens"))
        assert rig.ask("PUT", "/v1/subjects/anna", {"residence": "DE", "age": 40}).status_code == 201
        yield rig


def eventually(seen: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def a_record() -> dict[str, Any]:
    return {"records": [OPT_IN | {"id": str(uuid4()), "ts": (datetime.now(UTC) - timedelta(days=1)).isoformat()}]}


def workers(urls: DatabaseUrls) -> set[int]:
    with psycopg.connect(urls.worker) as connection:
        return {id for (id,) in connection.execute("SELECT id FROM jobs.procrastinate_workers")}


def test_a_database_that_is_gone_is_a_no_until_it_is_back(rig: Rig):
    assert rig.ask("POST", "/v1/decisions", QUESTION).json()["decision"] == "deny"
    eventually(lambda: workers(rig.urls))
    before = workers(rig.urls)
    record = a_record()

    rig.postgres.stop()
    question, append, facts, history, ready, live = rig.all_at_once(
        ("POST", "/v1/decisions", QUESTION),
        ("POST", "/v1/records", record),
        ("PUT", "/v1/subjects/ben", {"residence": "DE"}),
        ("GET", "/v1/subjects/anna/records", None),
        ("GET", "/health/ready", None),
        ("GET", "/health/live", None),
    )
    first = rig.ask("POST", "/v1/decisions", QUESTION, token=rig.token(tenant="later"))
    for answer in (question, first, append, facts, history):
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), answer.text
        assert int(answer.headers["retry-after"]) > 0
    assert question.json()["decision"] == "deny"
    assert (ready.status_code, ready.json()["checks"]) == (
        503,
        {"database": False, "migrations": False, "policy": True, "log": False},
    )
    assert live.status_code == 200

    assert rig.postgres.start() == rig.urls
    eventually(lambda: rig.ask("GET", "/health/ready").status_code == 200)
    eventually(lambda: rig.ask("POST", "/v1/records", record).status_code == 201)
    assert rig.ask("POST", "/v1/decisions", QUESTION).json()["decision"] == "permit"
    assert rig.ask("GET", "/v1/subjects/ben").status_code == 404, "what was refused was not stored"

    eventually(lambda: workers(rig.urls) - before)
    assert rig.worker.process.poll() is None
    assert "Traceback" not in rig.service.text + rig.worker.text


def test_an_opa_server_that_is_gone_is_a_no_until_it_is_back(rig: Rig):
    assert rig.ask("POST", "/v1/decisions", QUESTION).status_code == 200
    unheard_of = QUESTION | {"subject": "carla", "context": {"sender": "Example GmbH"}}
    case = {"channel": "ads", "purpose": "sale_share", "jurisdiction": "US-CA", "signals": {"gpc": True}}

    rig.opa.stop()
    for path, body in (("/v1/decisions", unheard_of), ("/v1/simulations/decision", case)):
        answer = rig.ask("POST", path, body)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), answer.text
        assert answer.json()["decision"] == "deny"
        assert int(answer.headers["retry-after"]) > 0
    ready = rig.ask("GET", "/health/ready")
    assert (ready.status_code, ready.json()["checks"]["policy"]) == (503, False)
    assert rig.ask("POST", "/v1/records", a_record()).status_code == 201, "choices are stored without the engine"

    rig.opa.start()
    eventually(lambda: rig.ask("POST", "/v1/decisions", unheard_of).status_code == 200)
    assert rig.ask("POST", "/v1/simulations/decision", case).status_code == 200
    assert rig.ask("GET", "/health/ready").status_code == 200


def test_a_tenant_whom_nobody_added_is_401(rig: Rig):
    for _ in range(2):
        answer = rig.ask("POST", "/v1/decisions", QUESTION, token=rig.token(tenant="nobody"))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


def test_a_token_that_has_expired_is_401(rig: Rig):
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    answer = rig.ask("POST", "/v1/decisions", QUESTION, token=rig.token(now=long_ago))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
