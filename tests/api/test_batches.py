"""One question about many, as a stream: the answers of single checks, a line each, on the record before they leave."""

import asyncio
import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
import rfc8785
from litestar import Litestar
from psycopg.rows import dict_row

from service.audit import NOBODYS, commitment_of, leaf_hash, salt_of, tree_hash
from service.committed import ExamineCommitted
from service.decisions.packed import entry_at
from service.kernel import SubjectId, TenantId
from service.transaction import Begin
from tests.api.test_decisions import FACTS, OPT_IN, has
from tests.api.test_reveals import kind
from tests.conftest import Database, FakeClock

NDJSON = {"content-type": "application/x-ndjson"}
QUESTION = {"channel": "email", "purpose": "marketing"}


@pytest.fixture
async def people(client: httpx.AsyncClient) -> list[str]:
    """Six people; the even ones agreed."""
    names = [f"p{number}" for number in range(6)]
    for name in names:
        await client.put(f"/v1/subjects/{name}", json=FACTS)
    for name in names[::2]:
        await has(client, name, OPT_IN)
    return names


def body(*lines: Any, question: Any = None) -> bytes:
    said = [question or QUESTION, *lines]
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in said)


async def batch(client: httpx.AsyncClient, *lines: Any, question: Any = None) -> httpx.Response:
    return await client.post("/v1/decisions/batch", content=body(*lines, question=question), headers=NDJSON)


def told(answer: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    *lines, last = map(json.loads, answer.text.splitlines())
    return lines, last["summary"]


async def test_each_gets_a_line_in_order(client: httpx.AsyncClient, people: list[str]):
    answer = await batch(client, *people, {"subject": "nobody"})
    lines, summary = told(answer)

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [line["subject"] for line in lines] == [*people, "nobody"]
    assert [line["line"] for line in lines] == list(range(1, 8))
    assert [line["outcome"] for line in lines] == ["permit", "deny"] * 3 + ["deny"]
    assert {key: summary[key] for key in ("lines", "outcomes")} == {"lines": 7, "outcomes": {"deny": 4, "permit": 3}}
    assert summary["rules"]["permit"][lines[0]["rules"][0]] == 3
    assert summary["read_at_length"] == 7


async def test_whoever_was_read_once_is_answered_from_a_narrow_row(
    client: httpx.AsyncClient, people: list[str], clock: FakeClock
):
    clock.advance(timedelta(days=3))
    first, _ = told(await batch(client, *people))
    second, summary = told(await batch(client, *people))

    assert summary["read_at_length"] == 0
    own = {"id", "at"}
    assert [{k: v for k, v in line.items() if k not in own} for line in first] == [
        {k: v for k, v in line.items() if k not in own} for line in second
    ]


@pytest.mark.parametrize("later", [timedelta(minutes=10), timedelta(hours=2), timedelta(hours=14)])
async def test_what_was_learnt_in_one_batch_serves_the_next_as_long_as_it_holds(
    client: httpx.AsyncClient, people: list[str], clock: FakeClock, later: timedelta
):
    clock.advance(timedelta(days=3))
    await batch(client, *people)
    clock.advance(later)
    lines, _ = told(await batch(client, *people))
    for line in lines:
        single = await client.post("/v1/decisions", json=QUESTION | {"subject": line["subject"]})
        assert single.json()["decision"] == line["outcome"]
        assert single.json()["valid_until"] == line["valid_until"]
    changed = people[0]
    await has(client, changed, {**OPT_IN, "action": "opt_out"})
    assert told(await batch(client, *people))[0][0]["outcome"] == "deny"


async def test_a_decision_of_a_batch_is_read_as_any(client: httpx.AsyncClient, people: list[str]):
    lines, _ = told(await batch(client, *people, "nobody"))
    for line in lines:
        answer = await client.get(f"/v1/decisions/{line['id']}", params={"replay": "true"})
        assert answer.status_code == 200, answer.text
        decision = answer.json()
        assert decision["decision"] == line["outcome"]
        assert decision["at"] == line["at"]
        assert decision["valid_until"] == line["valid_until"]
        assert decision["replay"]["same"]


async def test_lines_that_name_nobody_harm_no_other(client: httpx.AsyncClient, people: list[str]):
    broken = [b"{", b'{"subject": "ada@mail.example"}', b'{"subject": "p0", "more": 1}', b"x" * 70_000, b"\xff", b'"p0']
    lines, summary = told(answer := await batch(client, "p0", *broken, {"subject": "p2"}))

    assert [line["outcome"] for line in lines] == ["permit", *["invalid"] * 6, "permit"]
    assert [line["line"] for line in lines] == list(range(1, 9))
    assert all(line["errors"] and "id" not in line for line in lines[1:7])
    assert "ada@mail.example" not in answer.text
    assert summary["outcomes"] == {"invalid": 6, "permit": 2}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "invalid_request"),
        (b"{", 400, "invalid_request"),
        (body("p0", question=QUESTION | {"at": "2026-11-20T12:00:00Z"}), 400, "invalid_request"),
        (b'"' + b"x" * 70_000, 413, "body_too_large"),
        (body("p0", question=QUESTION | {"purpose": "x-unheard"}), 409, "unknown_purpose"),
        (
            body("p0", question=QUESTION | {"context": {"plausible_time_zones": ["Europe/Bonn"]}}),
            409,
            "unknown_time_zone",
        ),
    ],
)
async def test_a_question_that_can_not_be_asked_is_refused_as_a_whole(
    client: httpx.AsyncClient, content: bytes, status: int, code: str
):
    answer = await client.post("/v1/decisions/batch", content=content, headers=NDJSON)

    assert kind(answer) == (status, code)


ACTS = [
    OPT_IN,
    OPT_IN | {"expires_at": "2027-03-02T09:05:00+01:00"},
    OPT_IN | {"method": "web_form", "notice_version": "v2", "brand": "A"},
    {"ts": "2024-10-30T23:30:00Z", "channel": "email", "purpose": "marketing", "action": "purchase"},
    {"ts": "2025-11-19T12:00:00Z", "channel": "sms", "purpose": "any", "action": "opt_out"},
    {"ts": "2026-11-20T12:00:00Z", "channel": "phone", "purpose": "marketing", "action": "call_attempt"},
    {"ts": "2026-01-20T12:00:00Z", "channel": "any", "purpose": "marketing", "action": "object"},
]
SAME = ("basis", "obligations", "valid_until", "retry_after", "at")


@pytest.mark.parametrize("channel", ["email", "sms", "phone"])
async def test_batch_and_single_agree(client: httpx.AsyncClient, clock: FakeClock, channel: str):
    names = []
    for number in range(2 ** len(ACTS) // 4):
        names.append(name := f"q{number}")
        facts = {"residence": ["DE", "US-CA", "FR", "GB"][number % 4], "time_zone": None, "age": 40}
        if number % 3:
            zones = ["Europe/Berlin", "America/Los_Angeles", "Europe/Paris", "Europe/London"]
            facts |= {"time_zone": zones[number % 4], "last_interaction_at": "2026-08-21T12:00:00Z"}
        await client.put(f"/v1/subjects/{name}", json=facts)
        await has(client, name, *(act for place, act in enumerate(ACTS) if number * 4 >> place & 1 or place == number))
    for days in (0, 3, 30, 400):
        clock.advance(timedelta(days=days, hours=days))
        lines, summary = told(await batch(client, *names, "nobody", question=QUESTION | {"channel": channel}))
        for line in lines:
            asked = QUESTION | {"subject": line["subject"], "channel": channel}
            single = (await client.post("/v1/decisions", json=asked)).json()
            assert line["outcome"] == single["decision"]
            assert {name: line[name] for name in SAME} == {name: single[name] for name in SAME}
            assert line["rules"] == list(
                dict.fromkeys(each["rule"] for each in single["reasons"] if each["effect"] == single["decision"])
            )
        assert days < 400 or summary["read_at_length"] < len(names) / 2


class Speaking:
    """A client that sends a piece, reads what it is told about it, and goes on or goes away.

    What it doesn't read holds up who tells it.
    """

    path = "/v1/decisions/batch"
    kind = b"application/x-ndjson"

    def __init__(self, site: Litestar, token: str) -> None:
        self._site = site
        self._token = token
        self._sent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._heard: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
        self._gone = False
        self.work: asyncio.Task[None] | None = None

    async def _receive(self) -> Any:
        part = await self._sent.get()
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": part != b""}

    async def _send(self, message: Any) -> None:
        if not self._gone:
            await self._heard.put(message.get("body", b""))

    def say(self, part: bytes | None) -> None:
        if self.work is None:
            scope = {
                "type": "http", "method": "POST", "path": self.path, "raw_path": self.path.encode(),
                "query_string": b"", "root_path": "", "http_version": "1.1",
                "headers": [(b"authorization", self._token.encode()), (b"content-type", self.kind)],
            }  # fmt: skip
            self.work = asyncio.create_task(self._site(scope, self._receive, self._send))  # type: ignore[arg-type]
        self._sent.put_nowait(part)
        if part is None:
            self._gone = True
            while not self._heard.empty():
                self._heard.get_nowait()

    async def lines(self, number: int) -> list[dict[str, Any]]:
        heard = b""
        while heard.count(b"\n") < number:
            heard += await asyncio.wait_for(self._heard.get(), 10)
        return [json.loads(line) for line in heard.splitlines()]


async def test_a_withdrawal_shows_in_every_line_after_it_while_a_batch_runs(
    site: Litestar, client: httpx.AsyncClient, people: list[str], clock: FakeClock
):
    clock.advance(timedelta(days=3))
    told(await batch(client, *people))
    speaking = Speaking(site, client.headers["authorization"])
    speaking.say(body("p0", "p2"))
    first = await speaking.lines(2)
    clock.advance(timedelta(seconds=1))
    await has(client, "p2", {**OPT_IN, "action": "opt_out", "ts": clock().isoformat()})
    clock.advance(timedelta(seconds=1))
    speaking.say(body("p0", "p2").partition(b"\n")[2])
    second = await speaking.lines(2)
    speaking.say(b"")
    [last] = await speaking.lines(1)

    assert [line["outcome"] for line in first] == ["permit", "permit"]
    assert [line["outcome"] for line in second] == ["permit", "deny"]
    assert first[0]["at"] < second[0]["at"]
    assert last["summary"]["outcomes"] == {"deny": 1, "permit": 3}


async def test_who_goes_away_ends_the_work(
    site: Litestar, client: httpx.AsyncClient, people: list[str], database: Database, tenant: TenantId, log: Any
):
    speaking = Speaking(site, client.headers["authorization"])
    speaking.say(body("p0"))
    await speaking.lines(1)
    speaking.say(None)
    assert speaking.work is not None
    await asyncio.wait_for(speaking.work, 10)

    assert [row["decisions"] for row in chunks(database, tenant)] == [1]
    assert b'"bug"' not in log.getvalue()


async def test_what_is_not_on_the_record_is_not_told(
    client: httpx.AsyncClient, people: list[str], database: Database, tenant: TenantId
):
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON batch FROM volens_app")
        try:
            answer = await batch(client, *people)
        finally:
            connection.execute("GRANT INSERT ON batch TO volens_app")

    assert "permit" not in answer.text
    assert chunks(database, tenant) == []
    assert not (await client.get("/v1/audit/entries", params={"event": "batch.decided"})).json()["entries"]

    lines, _ = told(await batch(client, *people))
    for line in lines:
        decision = (await client.get(f"/v1/decisions/{line['id']}", params={"replay": "true"})).json()
        assert decision["replay"]["same"], "what was found out before is stored with the first chunk that is"


async def test_a_chunk_is_one_row_with_an_entry_that_commits_to_all_of_it(
    client: httpx.AsyncClient, people: list[str], database: Database, tenant: TenantId, begin: Begin
):
    lines, _ = told(await batch(client, *people, "nobody"))
    [row] = chunks(database, tenant)
    [entry] = (await client.get("/v1/audit/entries", params={"event": "batch.decided"})).json()["entries"]

    assert entry["object_id"] == str(row["id"])
    heading = {
        "actor": "shop-backend", "at": lines[0]["at"], "channel": "email", "decisions": 7, "id": str(row["id"]),
        "overlay_version": 0, "purpose": "marketing", "revision": row["revision"], "root": row["root"].hex(),
    }  # fmt: skip
    assert entry["commitment"] == hashlib.sha256(rfc8785.dumps(heading)).hexdigest()
    leaves, shown = [], answers_shown(database, row["id"])
    async with begin(tenant) as tx:
        for line in lines:
            id_ = UUID(line["id"])
            stored = await tx.decisions.find(id_)
            assert stored is not None
            whose = stored.handle or NOBODYS
            secrets = await tx.audit.secrets({whose, NOBODYS})
            number = entry_at(row["body"], line["line"] - 1)[1]
            payload = {
                "actor": "shop-backend", "answer": number, "at": line["at"], "batch": str(row["id"]),
                "channel": "email", "handle": None if stored.handle is None else str(stored.handle), "id": line["id"],
                "overlay_version": 0, "permit": stored.permit, "purpose": "marketing",
                "retry_after": None, "revision": row["revision"], "valid_until": line["valid_until"],
                "verdict": json.loads(stored.verdict), "withheld": {"facts": shown[number]},
            }  # fmt: skip
            commitment = commitment_of(salt_of(secrets[whose], id_.bytes), rfc8785.dumps(payload))
            leaves.append(leaf_hash(id_.bytes + commitment))
    assert tree_hash(leaves) == row["root"]


async def test_who_changes_a_chunk_is_found_out(
    client: httpx.AsyncClient, people: list[str], database: Database, tenant: TenantId, begin: Begin, sequence: Any
):
    told(await batch(client, *people, "nobody"))
    await sequence()
    async with begin(tenant) as tx:
        note = await tx.tree.checkpoint(None)
    assert note is not None
    size = int(note.split("\n")[1])
    assert not (await ExamineCommitted(begin)(tenant, size)).findings
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        whose = "SELECT substring(body FROM 29 FOR 28) || substring(body FOR 28) || substring(body FROM 57)"
        connection.execute(f"UPDATE batch SET body = ({whose}) WHERE tenant = %s", (tenant,))  # type: ignore[arg-type]
    [found] = (await ExamineCommitted(begin)(tenant, size)).findings

    assert "batch" in found
    assert "is not what the entry commits to" in found


async def test_what_batches_decided_about_a_person_is_found(
    client: httpx.AsyncClient, people: list[str], tenant: TenantId, begin: Begin
):
    lines, _ = told(await batch(client, *people, "p2", "nobody"))
    later, _ = told(await batch(client, "p3", "p2"))
    single = (await client.post("/v1/decisions", json=QUESTION | {"subject": "p2"})).json()
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(SubjectId("p2"))
        assert handle is not None
        found = [made async for page in tx.decisions.about([handle]) for made in page]

    own = [line["id"] for line in (*lines, *later) if line["subject"] == "p2"]
    assert [str(made.id) for made in found] == [single["id"], *own]
    assert {(made.permit, made.channel, made.purpose) for made in found} == {(True, "email", "marketing")}


def chunks(database: Database, tenant: TenantId) -> list[dict[str, Any]]:
    with psycopg.connect(database.urls.admin, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM batch WHERE tenant = %s", (tenant,)).fetchall()


def answers_shown(database: Database, chunk: UUID) -> dict[int, str]:
    with psycopg.connect(database.urls.admin) as connection:
        return dict(connection.execute("SELECT number, shown FROM batch_answer WHERE batch = %s", (chunk,)).fetchall())
