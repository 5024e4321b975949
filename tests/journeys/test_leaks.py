"""Nothing that people are called or have said turns up where nobody looks after it.

Every word that a client may put anywhere is a canary here: put into each field that takes text, and into each place
where it doesn't belong. Then everything the service printed, answered, counted and stored is searched for it.
"""

import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import msgspec
import psycopg
import pytest
from msgspec import Struct

from service import kernel
from service.consent.schemas import RecordCreate
from service.decisions.context import Context
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.subjects import SubjectFacts
from tests import connected, doors
from tests.journeys.commands import typed
from tests.journeys.processes import Service, environment, running

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "openapi" / "openapi.json").read_text())
SCOPES = " ".join(kernel.SCOPES)
LEAKED = re.compile(rb"lovelace|15123456789|mail\.example", re.IGNORECASE)
PLACED = re.compile(rb"([a-z_]+)\.Lovelace@mail\.example")
"""A canary begins with the name of the member that it was put into."""
REQUEST, LETTER = str(uuid4()), str(uuid4())
ANYWHERE = ("Ada Lovelace", "ada.lovelace@mail.example", "+49 15123456789")
RECORD = {
    "id": str(uuid4()),
    "subject": "s-1",
    "ts": "2026-11-20T12:00:00Z",
    "channel": "email",
    "purpose": "marketing",
    "action": "opt_in",
}


def canary(member: str) -> str:
    return f"{member}.Lovelace@mail.example"


def texts(model: type[Struct], **required: Any) -> dict[str, Any]:
    """Return a canary for each member of `model` that takes any text, or a list of texts."""
    taken = {}
    for member in set(model.__struct_fields__) - required.keys():
        for value in (canary(member), [canary(member)]):
            try:
                msgspec.convert({**required, member: value}, model)
            except msgspec.ValidationError:
                continue
            taken[member] = value
            break
    return taken


IN_RECORDS = texts(RecordCreate, **RECORD)
IN_FACTS = texts(SubjectFacts)
IN_CONTEXT = texts(Context)
del IN_CONTEXT["plausible_time_zones"]  # takes any text, and refuses what is no zone: 409
KEPT_IN_STATES = IN_RECORDS.keys() - {"evidence", "incentive", "method", "product"}
"""What a question is compared with. Method and incentive are there only as what they amount to."""

COMING = [
    name
    for name in json.loads((ROOT / "policies/data/stricter.json").read_text())["rules"]
    if json.loads((ROOT / "policies/data/in_force.json").read_text())[name] > f"{datetime.now(UTC):%F}"
]
"""What an overlay can ask for before its day."""
BODIES: dict[str, Any] = {
    "putSubject": {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"} | IN_FACTS,
    "appendRecords": {"records": [RECORD | IN_RECORDS]},
    "putNotice": {
        "texts": {"en": canary("texts")},
        "purposes": ["marketing"],
        "channels": ["email"],
        "controllers": [canary("controllers")],
        "material_change": False,
    },
    "putPurpose": {"maps_to": "marketing", "title": canary("title")},
    "decide": {
        "subject": "s-1",
        "channel": "email",
        "purpose": "marketing",
        "context": {"plausible_time_zones": ["Europe/Berlin"], "processor_country": "DE", "bulk": True},
    },
    "decideBatch": {"channel": "email", "purpose": "marketing", "context": {"processor_country": "DE"}},
    "decideAudience": {"channel": "email", "purpose": "marketing", "residence": ["DE", "US"], "after": "s-0"},
    "verifyPermit": {"permit": "none.of.ours"},
    "reveal": {
        "subject": "s-1",
        "fields": ["email"],
        "purpose": "service",
        "channel": "email",
        "context": {"content": "service"},
    },
    "revealBatch": {"fields": ["email"], "purpose": "service", "channel": "email", "context": {"content": "service"}},
    "issueToken": {"subject": "s-1", "field": "email", "purpose": "service", "recipient": "mailer"},
    "revokeToken": {"token": "vtk_" + "A" * 43},
    "requestApproval": {"purpose": "legal_claim", "fields": ["email"], "subjects": 1, "reference": "7-O-12"},
    "putField": {"type": "text", "sensitivity": "personal", "purposes": ["service"]},
    "putValue": {"value": canary("value")},
    "importValues": {"subject": "s-1", "field": "name", "value": canary("value")},
    "importRecords": {name: value for name, value in (RECORD | IN_RECORDS).items() if name != "id"},
    "lookUp": {"field": "email", "value": canary("value")},
    "mergeSubjects": {"with": "s-2", "same": False},
    "placeHold": {"reason": "litigation", "reference": "7-O-12"},
    "putOverlay": {"denied": [{"channel": "phone", "purpose": "marketing"}], "early": COMING[:1]},
    "requestExport": {"format": "ndjson", "purpose": "internal_audit", "wanted": {"actors": ["mailer"]}},
    "countEntries": {"wanted": {"actors": ["mailer"]}},
    "putFilter": {"events": ["record.stored"]},
    "putDownstream": {"kind": "webhook", "url": "https://crm.example/volens", "takes": ["erase"]},
    "confirmTask": {"task": REQUEST, "outcome": "confirmed"},
    "bringFile": {
        "task": REQUEST,
        "file": REQUEST,
        "name": "notes",
        "media_type": "text/plain",
        "content": "bm90ZQ==",
    },
    "refuseTask": {"task": REQUEST, "outcome": "refused", "ground": "legal_claims"},
    "excuseTask": {"reason": "impossible"},
    "takeOpenDsrStatus": {"subject_request_id": REQUEST, "request_status": "completed"},
    "takeOpenDsrRequest": doors.asked(canary("identity")),
    "takeDataRightsRequest": canary("signed"),
    "revokeDataRightsRequest": canary("signed"),
    "makeAgentToken": canary("signed"),
    "openRequest": {
        "id": REQUEST,
        "subject": "s-1",
        "right": "access",
        "place": "DE",
        "time_zone": "Europe/Berlin",
    },
    "moveRequest": {"version": 2},
    "sendIdentityCode": {},
    "showIdentity": {"said": {"email": canary("said"), "name": canary("said_name")}},
    "writeLetter": {"id": LETTER, "text": canary("letter")},
    "askForPackage": {"language": "de"},
    "simulateDecision": {"jurisdiction": "DE", "channel": "email", "purpose": "marketing"},
    "startTrial": {
        "overlay": {"denied": [{"channel": "email"}]},
        "tables": {"periods": json.loads((ROOT / "policies/data/periods.json").read_text())},
        "over": {"subjects": {"channel": "email", "purpose": "marketing"}},
    },
}


NOTHING_THERE = {
    "askForPackage",
    "mergeSubjects",
    "revokeToken",
    "bringFile",
    "confirmTask",
    "refuseTask",
    "excuseTask",
    "takeOpenDsrStatus",
    "showIdentity",
    "takeDataRightsRequest",
    "revokeDataRightsRequest",
    "makeAgentToken",
}
"""What can't be done, because its object was never made."""


class Asked(Struct, frozen=True):
    method: str
    path: str
    content: bytes | None = None
    headers: dict[str, str] = {}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            yield method.upper(), path, said


def filled(path: str, **given: str) -> str:
    ids = {"subject": "s-1", "notice": "news", "version": "v1", "purpose": "x-club", "rule": "DE-TEL-01"}
    ids |= {
        "decision": str(uuid4()),
        "trial": str(uuid4()),
        "approval": str(uuid4()),
        "export": str(uuid4()),
        "saved": "mine",
    }
    ids |= {"field": "email", "name": "shoe_size", "level": "0", "number": "000", "record": str(uuid4())}
    ids |= {"request_id": REQUEST, "move": "withdraw", "letter": LETTER} | connected.NAMES | doors.NAMES
    return path.format_map(ids | {name: quote(value, safe="") for name, value in given.items()})


def proper() -> Iterator[Asked]:
    """Each write as it should be, with a canary in each member that takes text."""
    for method, path, said in operations():
        body = BODIES.get(said["operationId"])
        if body is not None and said["operationId"] not in NOTHING_THERE:
            yield Asked(method, filled(path), json.dumps(body).encode(), kind_of(said))
    for member, value in IN_CONTEXT.items():
        question = BODIES["decide"] | {"context": {member: value}}
        yield Asked("POST", "/v1/decisions", json.dumps(question).encode())
        case = BODIES["simulateDecision"] | {"context": {member: value}, "records": [statement()], "subject": IN_FACTS}
        yield Asked("POST", "/v1/simulations/decision", json.dumps(case).encode())


def statement() -> dict[str, Any]:
    return {name: value for name, value in (RECORD | IN_RECORDS).items() if name not in ("id", "subject")}


def kind_of(said: dict[str, Any]) -> dict[str, str]:
    """Return the header that says what a body is."""
    return {"content-type": next(iter(said["requestBody"]["content"]))} if "requestBody" in said else {}


def misplaced() -> Iterator[Asked]:
    """Each operation with canaries where they don't belong."""
    for method, path, said in operations():
        body = json.dumps(BODIES[said["operationId"]]).encode() if "requestBody" in said else None
        parameters = [(parameter["in"], parameter["name"]) for parameter in said.get("parameters", [])]
        kind = kind_of(said)
        for word in ANYWHERE:
            for place, name in parameters:
                if place == "path":
                    yield Asked(method, filled(path, **{name: word}), body, kind)
                else:
                    yield Asked(method, f"{filled(path)}?{name}={quote(word)}", body, kind)
            yield Asked(method, f"{filled(path)}?{quote(word)}={quote(word)}", body, kind)
            yield Asked(method, f"{filled(path)}/{quote(word)}", body, kind)
            yield from (Asked(method, filled(path), body, kind | headers) for headers in odd_headers(word))
            if body is not None:
                yield from (Asked(method, filled(path), odd, kind) for odd in odd_bodies(json.loads(body), word))


def odd_headers(word: str) -> Iterator[dict[str, str]]:
    yield {
        "x-request-id": word,
        "user-agent": word,
        "referer": f"https://shop.example/?of={quote(word)}",
        "cookie": f"name={quote(word)}",
        "traceparent": word,
        "accept-language": word,
        "x-forwarded-for": word,
    }
    yield {"content-type": f"text/{quote(word)}"}
    yield {"content-type": f"application/json; charset={quote(word)}"}
    yield {"accept": word}
    for credentials in (word, f"Bearer {word}", f"Basic {word}", f"Bearer {quote(word)}.{quote(word)}.{quote(word)}"):
        yield {"authorization": credentials}


def odd_bodies(body: Any, word: str) -> Iterator[bytes]:
    said = json.dumps(word).encode()
    yield from (said, b"[" + said + b"]", b"{" + said, b'{"a": ' + said, b"{" + said + b": 1}", b"\xff" + said)
    if isinstance(body, dict):
        yield json.dumps(body | {word: word}).encode()
    yield json.dumps({"records": [word]}).encode()
    yield from (json.dumps(changed).encode() for changed in with_each_leaf(body, word))
    yield from (json.dumps(changed).encode() for changed in with_each_leaf(body, {word: word}))


def with_each_leaf(value: Any, word: Any) -> Iterator[Any]:
    """Yield `value` with one of its leaves after the other replaced, but not those that are for text."""
    match value:
        case dict():
            for name, each in value.items():
                yield from ({**value, name: changed} for changed in with_each_leaf(each, word))
        case list():
            for position, each in enumerate(value):
                for changed in with_each_leaf(each, word):
                    yield [*value[:position], changed, *value[position + 1 :]]
        case str() if PLACED.match(value.encode()):
            pass
        case _:
            yield word


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def asked(data: Path) -> Iterator[tuple[Service, list[httpx.Response], bytes]]:
    """A service that was asked everything: itself, its answers to what was misplaced, and its metrics."""
    opened = doors.in_environment(doors.opened(data, lambda: datetime.now(UTC), "acme"))
    env = environment(data) | {"VOLENS_LOG_LEVEL": "debug"} | opened
    seat = ["tenant", "place", "acme", "--place", "DE", "--time-zone", "Europe/Berlin"]
    for command in (["migrate"], ["tenant", "add", "acme"], seat):
        assert typed(*command, env=env).exit_code == 0
    with running("serve", "--port", "0", env=env) as service:
        with httpx.Client(base_url=service.url, timeout=30) as client:
            token = typed("token", "--tenant", "acme", "--scope", SCOPES, env=env).stdout.strip()

            def send(one: Asked) -> httpx.Response:
                headers = {"authorization": f"Bearer {token}", "content-type": "application/json"} | one.headers
                return client.request(one.method, one.path, content=one.content, headers=headers)

            for one in proper():
                answer = send(one)
                assert answer.is_success, (one, answer.text)
            answers = [send(one) for one in misplaced()]
            for word in ANYWHERE:
                speak_otherwise(service.url, word)
            metrics = client.get("/metrics").content
        yield service, answers, metrics


def speak_otherwise(url: str, word: str) -> None:
    """Say things that are no HTTP, or not the HTTP that we speak."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"
    for request in (
        f"{word} {word} HTTP/9.9\r\n\r\n",
        f"GET /{quote(word)} HTTP/1.1\r\nHost: {word}\r\nContent-Length: {word}\r\n\r\n",
        f"GET /v1/{quote(word)}?of={quote(word)} HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n",
        f"POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{word}",
    ):
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(request.encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def test_no_problem_repeats_what_was_sent(asked: tuple[Service, list[httpx.Response], bytes]):
    _, answers, _ = asked
    problems = [answer for answer in answers if answer.status_code >= 400]

    assert {400, 401, 404, 409, 415} <= {problem.status_code for problem in problems}
    assert not [answer for answer in answers if answer.status_code >= 500]
    for problem in problems:
        told = problem.content + repr(problem.headers.raw).encode()
        assert not LEAKED.search(told), (problem.request.method, problem.request.url, problem.text)


def test_no_metric_and_no_log_line_does(asked: tuple[Service, list[httpx.Response], bytes]):
    service, answers, metrics = asked

    assert b"volens_requests_total" in metrics
    assert not LEAKED.search(metrics)
    lines = [line for line in service.printed if '"event":"request"' in line]
    assert len(lines) > len(answers)
    assert [line for line in service.printed if LEAKED.search(line.encode())] == []


def test_texts_are_stored_where_they_belong_and_nowhere_else(
    asked: tuple[Service, list[httpx.Response], bytes], data: Path
):
    """What was misplaced is in no table at all; what people said is in no log, event, decision or memo."""
    urls = EmbeddedPostgres.running(data)
    assert urls is not None
    stored = contents(urls)
    members = {
        table: {member.decode() for member in PLACED.findall(rows)}
        for table, rows in stored.items()
        if LEAKED.search(rows)
    }

    assert {"audit_entry", "audit_pending", "outbox", "decision", "facts", "verdict"} <= stored.keys()
    assert members == {
        "record": set(IN_RECORDS),
        "consent_state": KEPT_IN_STATES,
        "notice": {"texts", "controllers"},
        "purpose": {"title"},
        "frame": KEPT_IN_STATES | IN_FACTS.keys(),
    } | {table: set(IN_FACTS) for table in ("subject", "subject_facts")}
    assert not [word for word in ANYWHERE for rows in stored.values() if word.encode() in rows]


def contents(urls: DatabaseUrls) -> dict[str, bytes]:
    """Return everything in every table, as bytes that can be searched."""
    with psycopg.connect(urls.owner) as database:
        tables = database.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'jobs')")
        return {
            table: b"\n".join(
                value if isinstance(value, bytes) else json.dumps(value, default=str, ensure_ascii=False).encode()
                for row in database.execute(f"SELECT * FROM {schema}.{table}")
                for value in row
            )
            for schema, table in tables.fetchall()
        }


def test_the_log_of_the_database_knows_none_of_it(asked: tuple[Service, list[httpx.Response], bytes], data: Path):
    log = (data / "postgres" / "server.log").read_bytes()

    assert b"database system is ready" in log
    assert not LEAKED.search(log)
