"""A vault in use: its database, its processes, its clients, and all that anybody gets to see of them."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
from uuid_utils.compat import uuid7

from service import kernel, postgres_programs
from service.postgres import DatabaseUrls
from service.web.local_issuer import LocalIssuer
from tests.conftest import at
from tests.journeys.canaries import DECOY
from tests.journeys.commands import typed
from tests.journeys.processes import Service, environment

SCOPES = " ".join(kernel.SCOPES)
NDJSON = "application/x-ndjson"
SERVE, WORK = ("serve", "--port", "0"), ("work",)


class Site:
    """The service on a database, with a worker or without, and `data` as their folder; they end with the block.

    They remember no keys, so that a ring that is exchanged counts at once.
    """

    def __init__(self, data: Path, urls: DatabaseUrls, *, worker: bool = True, **settings: str) -> None:
        self.data = data
        self.urls = urls
        self.env = environment(data, urls) | {"VOLENS_LOG_LEVEL": "debug", "VOLENS_VAULT_KEY_CACHE_SECONDS": "0"}
        self.env |= {f"VOLENS_{name}": value for name, value in settings.items()}
        self._wanted = (SERVE, WORK) if worker else (SERVE,)
        self._issuer = LocalIssuer.open(data, "volens")
        self.answers: list[httpx.Response] = []
        self.printed: list[str] = []
        """What processes and commands said that have ended."""
        self.metrics = b""
        self._running: list[Service] = []
        self._http = httpx.Client(timeout=30, event_hooks={"response": [self._note]})

    def __enter__(self) -> Self:
        self._running = [Service(*arguments, env=self.env) for arguments in self._wanted]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._http.close()

    @property
    def service(self) -> Service:
        return self._running[0]

    @property
    def ring(self) -> Path:
        return self.data / "root.keys"

    def stop(self) -> None:
        while self._running:
            process = self._running.pop()
            process.stop(signal.SIGTERM)
            self.printed += process.printed

    def kill(self) -> None:
        """End the service as a power cut would."""
        self.service.process.kill()

    def start_again(self) -> None:
        """Start the service that was killed, and leave the worker be."""
        self.service.stop()
        self.printed += self.service.printed
        self._running[0] = Service(*SERVE, env=self.env)

    def command(self, *arguments: str) -> str:
        """Type a command, keep what it says, and return it."""
        done = typed(*arguments, env=self.env)
        self.printed += [done.stdout, done.stderr]
        return done.stdout

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: Any = None,
        kind: str = "application/json",
        client: str = DECOY,
        scope: str = SCOPES,
        tenant: str = "acme",
        headers: Mapping[str, str] = {},
        expect: int | None = None,
    ) -> httpx.Response:
        """Send a request as a client of a tenant, and keep the answer."""
        token = self._issuer.sign(
            tenant=tenant,
            scope=scope,
            subject=client,
            ttl=timedelta(hours=1),
            now=datetime.now(UTC),
            new_id=uuid7,
            client=client,
        )
        sent = content if body is None else json.dumps(body).encode()
        named = {"authorization": f"Bearer {token}", "content-type": kind} | headers
        answer = self._http.request(method, self.service.url + path, content=sent, headers=named)
        assert expect in (None, answer.status_code), (method, path, answer.status_code, answer.text)
        return answer

    def _note(self, answer: httpx.Response) -> None:
        answer.read()
        self.answers.append(answer)

    def keep_metrics(self) -> None:
        """Keep the metrics as they are now; they end with the process."""
        self.metrics += httpx.get(self.service.url + "/metrics").content

    def logs(self) -> bytes:
        running = [line for process in self._running for line in process.printed]
        database = [log.read_bytes() for log in sorted((self.data / "postgres").glob("server.log*"))]
        return b"\n".join([*(line.encode() for line in (*self.printed, *running)), *database])

    def problems(self) -> list[httpx.Response]:
        return [answer for answer in self.answers if answer.is_error]

    def told(self) -> bytes:
        """Return every answer, but of reveals what was permitted."""
        return b"\n".join(piece for answer in self.answers for piece in _without_plaintext(answer))


def _without_plaintext(answer: httpx.Response) -> Iterator[bytes]:
    yield repr(answer.headers.raw).encode()
    if answer.is_error or not answer.url.path.startswith("/v1/vault/reveal"):
        yield answer.content
    elif answer.url.path.endswith("/batch"):
        yield from (line for line in answer.content.splitlines() if b'"outcome":"permit"' not in line)


def eventually(seen: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Lend the address of an OTLP collector, and what it gets."""
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def database_at(urls: DatabaseUrls, name: str) -> str:
    """Return the address of a database for the superuser, whose backups are whole."""
    return at(urls, name).admin


def dump(data: Path, url: str) -> bytes:
    """Return what pg_dump makes of a database: SQL, with every value of type `bytea` in hex."""
    return _program(data, "pg_dump", "--dbname", url)


def restore(data: Path, urls: DatabaseUrls, name: str, dumped: Path) -> DatabaseUrls:
    """Make a database of a dump, on the same server, whose roles it names."""
    with psycopg.connect(urls.admin, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} OWNER volens_owner TEMPLATE template0")
    stop_at_errors = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null")
    _program(data, "psql", "--dbname", database_at(urls, name), *stop_at_errors, "--file", str(dumped))
    return at(urls, name)


def _program(data: Path, program: str, *arguments: str) -> bytes:
    folder = postgres_programs.find(data / "postgres" / "cluster")
    environment = postgres_programs.environment()
    return subprocess.run([folder / program, *arguments], env=environment, check=True, capture_output=True).stdout
