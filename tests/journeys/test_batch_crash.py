"""Promise 2, for batches: a chunk is on the record before the first of its lines leaves, wherever a kill falls."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from service.decisions.packed import decision_id, entry_at
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, Service, running

PEOPLE = [f"s-{number}" for number in range(40)]
QUESTION = {"channel": "email", "purpose": "marketing"}
LOCK = 7
AT_COMMIT = f"""
    CREATE OR REPLACE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared({LOCK});
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON batch DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
"""
"""Has a chunk wait in the middle of its COMMIT for whoever holds the lock."""
WAITING = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK} AND NOT granted"
LOGGED = """
    SELECT batch.id, batch.body, (SELECT array_agg(permit ORDER BY number) FROM batch_answer WHERE batch = batch.id),
        (SELECT count(*) FROM audit_entry WHERE event = 'batch.decided' AND object_id = batch.id::text)
    FROM batch
"""


class Asking:
    """A batch whose lines are sent and read as the test likes."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._connection.putrequest("POST", "/v1/decisions/batch")
        for name, value in {
            "authorization": f"Bearer {token}",
            "content-type": "application/x-ndjson",
            "transfer-encoding": "chunked",
        }.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._answer: HTTPResponse | None = None
        self.say(QUESTION)

    def say(self, *lines: Any) -> None:
        part = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self._connection.send(b"%x\r\n%b\r\n" % (len(part), part))

    def hear(self, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the whole lines that come, until the answer ends or breaks off."""
        heard = 0
        try:
            if self._answer is None:
                self._answer = self._connection.getresponse()
            while heard != most and (line := self._answer.readline()).endswith(b"\n"):
                yield json.loads(line)
                heard += 1
        except (HTTPException, ConnectionError):
            return

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._connection.close()


def until(holds: Any) -> None:
    began = monotonic()
    while not holds():
        assert monotonic() - began < 30, "nothing came of it within half a minute"
        sleep(0.001)


class Log:
    """What is on the record, looked at by somebody who sees everything."""

    def __init__(self, installation: Installation) -> None:
        self._admin = psycopg.connect(installation.urls.admin, autocommit=True)

    def __call__(self, statement: str) -> list[Any]:
        return self._admin.execute(statement).fetchall()  # type: ignore[arg-type]

    def chunks(self) -> int:
        return int(self("SELECT count(*) FROM batch")[0][0])

    def decisions(self) -> Mapping[UUID, tuple[str, str]]:
        """Return who was decided about, and how, by the id of the decision. Each chunk has its entry."""
        names = {handle.bytes: subject for handle, subject in self("SELECT handle, subject FROM subject")}
        found = {}
        for chunk, body, permits, entries in self(LOGGED):
            assert entries == 1
            for place in range(len(body) // 28):
                handle, answer, _ = entry_at(body, place)
                found[decision_id(chunk, place)] = names[handle], "permit" if permits[answer] else "deny"
        return found

    def has(self, lines: list[dict[str, Any]]) -> None:
        decisions = self.decisions()
        for line in lines:
            assert decisions[UUID(line["id"])] == (line["subject"], line["outcome"])

    @contextmanager
    def holding_commits(self) -> Iterator[None]:
        self._admin.execute(f"SELECT pg_advisory_lock({LOCK})")
        try:
            yield
        finally:
            self._admin.execute(f"SELECT pg_advisory_unlock({LOCK})")

    def close(self) -> None:
        self._admin.close()


@pytest.fixture
def log(installation: Installation) -> Iterator[Log]:
    with closing(Log(installation)) as log:
        yield log


@pytest.fixture
def asking(service: Service, installation: Installation) -> Iterator[Asking]:
    with closing(Asking(service.url, installation.token)) as asking:
        yield asking


@pytest.fixture
def service(installation: Installation) -> Iterator[Service]:
    with running("serve", "--port", "0", env=installation.env) as service:
        client = Client(service.url, installation.token)
        for subject in PEOPLE:
            status, _ = client("PUT", f"/v1/subjects/{subject}", {"residence": "DE", "age": 40})
            assert status in (200, 201)
        client.close()
        yield service


@pytest.fixture(scope="module")
def commits_wait(installation: Installation) -> None:
    with psycopg.connect(installation.urls.admin) as connection:
        connection.execute(AT_COMMIT)


@pytest.mark.parametrize("heard", [0, 2_500, 9_000])
def test_whatever_was_heard_before_a_kill_is_on_the_record(service: Service, asking: Asking, log: Log, heard: int):
    lines: list[dict[str, Any]] = []
    reader = Thread(target=lambda: lines.extend(asking.hear()))
    # From the beginning: what nobody reads holds up what is sent.
    reader.start()
    before = log.chunks()
    while log.chunks() == before or len(lines) < heard:
        asking.say(*PEOPLE * 25)
    service.process.send_signal(signal.SIGKILL)
    reader.join(60)

    assert len(lines) >= heard
    assert not any("summary" in line for line in lines)
    log.has(lines)


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "between commit and lines"])
def test_killed_at_a_commit_no_line_of_the_chunk_was_told(
    installation: Installation, service: Service, asking: Asking, log: Log, commits_wait: None, *, committed: bool
):
    asking.say(*PEOPLE)
    first = list(asking.hear(len(PEOPLE)))
    before = log.chunks()
    with log.holding_commits():
        asking.say(*PEOPLE)
        until(lambda: log(WAITING) == [(1,)])
        service.process.send_signal(signal.SIGSTOP if committed else signal.SIGKILL)
    if committed:
        until(lambda: log.chunks() > before)
        service.process.send_signal(signal.SIGKILL)
    rest = list(asking.hear())
    until(lambda: log(WAITING) == [(0,)])

    assert len(first) == len(PEOPLE)
    assert rest == [], "what it had not heard of it could not tell"
    log.has(first)
    with running("serve", "--port", "0", env=installation.env) as anew:
        with closing(Asking(anew.url, installation.token)) as again:
            again.say(*PEOPLE)
            lines = list(again.hear(len(PEOPLE)))
        client = Client(anew.url, installation.token)
        told = [client("GET", f"/v1/decisions/{line['id']}")[0] for line in (first[0], lines[0], lines[-1])]
        client.close()
    assert told == [200] * 3
    log.has(lines)
    assert {line["id"] for line in lines}.isdisjoint(line["id"] for line in first)
    assert log.chunks() >= before + 1 + committed, "asking again is logged again"
