"""Reading of many people, as a stream: a line each, in order, and nothing untold or without a trace."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import psycopg
import pytest
from litestar import Litestar

from service.kernel import TenantId
from service.web.lines import CHUNK
from tests.api.test_decisions import FACTS, OPT_IN, has
from tests.api.test_reveals import PHONE, entries, kind, rows
from tests.api.test_reveals_officers import ASKED, LEGAL
from tests.conftest import Database, FakeClock
from tests.vaulted import Put

NDJSON = {"content-type": "application/x-ndjson"}
QUESTION = {"fields": ["email"], "purpose": "marketing", "channel": "email"}


@pytest.fixture
async def people(client: httpx.AsyncClient, put: Put) -> list[str]:
    """Six people with addresses; the even ones agreed."""
    names = [f"p{number}" for number in range(6)]
    for name in names:
        await client.put(f"/v1/subjects/{name}", json=FACTS)
        await put(name, {"email": f"{name}@mail.example"})
    for name in names[::2]:
        await has(client, name, OPT_IN)
    return names


def body(*lines: Any, question: dict[str, Any] | None = None) -> bytes:
    said = [question or QUESTION, *({"subject": line} if isinstance(line, str) else line for line in lines)]
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in said)


async def batch(client: httpx.AsyncClient, *lines: Any, question: dict[str, Any] | None = None) -> httpx.Response:
    return await client.post("/v1/vault/reveal/batch", content=body(*lines, question=question), headers=NDJSON)


def told(answer: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the lines, and the summary."""
    assert answer.status_code == 200, answer.text
    *lines, last = map(json.loads, answer.text.splitlines())
    return lines, last["summary"]


async def test_each_gets_a_line_in_order_and_only_who_may_be_used_now_comes_in_plain(
    client: httpx.AsyncClient, people: list[str]
):
    answer = await batch(client, *people, "nobody")
    lines, summary = told(answer)

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    assert [line["subject"] for line in lines] == [*people, "nobody"]
    assert [line["line"] for line in lines] == list(range(1, 8))
    assert [line["outcome"] for line in lines] == ["permit", "deny"] * 3 + ["deny"]
    assert [line["reveal"]["values"] for line in lines[:6:2]] == [
        {"email": f"{name}@mail.example"} for name in people[::2]
    ]
    assert all(line["decision"]["decision"] == "deny" and line["decision"]["reasons"] for line in lines[1::2])
    assert summary == {"lines": 7, "outcomes": {"deny": 4, "permit": 3}}
    assert not [name for name in people[1::2] if f"{name}@mail.example" in answer.text]


async def test_a_permit_for_one_channel_opens_no_address_of_another(
    client: httpx.AsyncClient, people: list[str], put: Put
):
    for name in people:
        await put(name, {"phone": PHONE, "phone#work": PHONE})
    question = QUESTION | {"fields": ["phone", "phone#work", "email"]}
    lines, _ = told(answer := await batch(client, *people, question=question))

    reveals = [line["reveal"] for line in lines[::2]]
    assert [each["values"] for each in reveals] == [{"email": f"{name}@mail.example"} for name in people[::2]]
    assert [each["masked"] for each in reveals] == [{"phone": "•••56", "phone#work": "•••56"}] * 3
    assert PHONE not in answer.text


async def test_each_reveal_is_on_the_record_and_each_denial_is_a_decision(
    client: httpx.AsyncClient, people: list[str], database: Database, tenant: TenantId
):
    lines, _ = told(await batch(client, *people))

    permitted = [line["reveal"] for line in lines if line["outcome"] == "permit"]
    assert {str(row["id"]) for row in rows(database, tenant)} == {reveal["id"] for reveal in permitted}
    assert {entry["object_id"] for entry in await entries(client, "vault.revealed")} == {
        reveal["id"] for reveal in permitted
    }
    assert len(await entries(client, "decision.made")) == len(people)


async def test_a_broken_line_harms_no_other_and_is_not_echoed(client: httpx.AsyncClient, people: list[str]):
    broken = [b"{", b'{"subject": "ada@mail.example"}', b'{"subject": "p0", "more": 1}', b"x" * 70_000, b"\xff"]
    lines, summary = told(answer := await batch(client, "p0", *broken, "p2"))

    assert [line["outcome"] for line in lines] == ["permit", *["invalid"] * 5, "permit"]
    assert [line["line"] for line in lines] == list(range(1, 8))
    assert all(line["errors"] and "subject" not in line for line in lines[1:6])
    assert lines[2]["errors"][0]["pointer"] == "/subject"
    assert "ada@mail.example" not in answer.text
    assert summary["outcomes"] == {"invalid": 5, "permit": 2}


async def test_blank_lines_count_for_nothing_and_the_last_needs_no_end(client: httpx.AsyncClient, people: list[str]):
    content = body("p0").replace(b"\n", b"\r\n\n") + b'{"subject": "p2"}'
    lines, _ = told(await client.post("/v1/vault/reveal/batch", content=content, headers=NDJSON))

    assert [(line["line"], line["subject"]) for line in lines] == [(1, "p0"), (2, "p2")]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "invalid_request"),
        (b"\n\n", 400, "invalid_request"),
        (b"{", 400, "invalid_request"),
        (body("p0", question={"fields": [], "purpose": "marketing"}), 400, "invalid_request"),
        (b'"' + b"x" * 70_000, 413, "body_too_large"),
        (body("p0", question=QUESTION | {"channel": None}), 409, "channel_needed"),
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
    answer = await client.post("/v1/vault/reveal/batch", content=content, headers=NDJSON)

    assert kind(answer) == (status, code)


async def test_other_kinds_of_bodies_are_not_read(client: httpx.AsyncClient):
    for headers in ({"content-type": "application/json"}, {}, NDJSON | {"content-encoding": "gzip"}):
        answer = await client.post("/v1/vault/reveal/batch", content=body("p0"), headers=headers)
        assert kind(answer) == (415, "unsupported_media_type")


async def test_whose_key_is_gone_is_told_apart_and_a_damaged_value_closes_no_other(
    client: httpx.AsyncClient, people: list[str], begin: Any, database: Database, clock: FakeClock,
    tenant: TenantId,
):  # fmt: skip
    async with begin(tenant) as tx:
        for subject in ("p0", "p1"):
            await tx.keys.destroy_subject_key(await tx.subjects.handle_of(subject), clock())
        damaged = await tx.subjects.handle_of("p2")
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE vault_value SET sealed = '\\x00' WHERE handle = %s", (damaged,))
    lines, _ = told(await batch(client, *people))

    assert [line["outcome"] for line in lines] == ["erased", "erased", "unavailable", "deny", "permit", "deny"]
    assert lines[4]["reveal"]["values"] == {"email": "p4@mail.example"}


async def test_what_left_no_trace_is_not_told(client: httpx.AsyncClient, people: list[str], database: Database):
    with psycopg.connect(database.urls.admin, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON reveal FROM volens_app")
        try:
            answer = await batch(client, *people)
        finally:
            connection.execute("GRANT INSERT ON reveal TO volens_app")

    assert "@mail.example" not in answer.text


async def test_officers_read_many_with_an_approval_of_two_and_once(
    client: httpx.AsyncClient, signed_for: Callable[..., httpx.AsyncClient], people: list[str], database: Database,
    tenant: TenantId,
):  # fmt: skip
    question = {name: value for name, value in LEGAL.items() if value is not ...}
    assert kind(await batch(client, *people, question=question)) == (409, "approval_needed")
    asked = (await client.post("/v1/vault/approvals", json=ASKED)).json()
    question |= {"approval": asked["id"]}
    assert kind(await batch(client, *people, question=question)) == (409, "approval_unusable")
    second = signed_for("second")
    await second.post(f"/v1/vault/approvals/{asked['id']}/approve")
    assert kind(await batch(second, *people, question=question)) == (409, "approval_unusable")
    assert kind(await batch(client, *people, question=question | {"fields": ["phone"]})) == (409, "approval_unusable")
    assert kind(await batch(client, *people, question=question | {"purpose": "dsr_response"})) == (
        409,
        "approval_unusable",
    )

    lines, _ = told(await batch(client, "p1", "nobody", "p2", question=question))

    assert [line["outcome"] for line in lines] == ["permit", "unknown", "beyond_approval"]
    assert lines[0]["reveal"]["values"] == {"email": "p1@mail.example"}
    assert [str(row["approval"]) for row in rows(database, tenant)] == [asked["id"]]
    again = await batch(client, "p1", question=question)
    assert (kind(again), again.json()["state"]) == ((409, "approval_unusable"), "used")


async def test_an_approval_covers_no_more_people_over_many_chunks(
    client: httpx.AsyncClient, signed_for: Callable[..., httpx.AsyncClient], people: list[str]
):
    most, count = CHUNK + 10, 2 * CHUNK + 30
    asked = (await client.post("/v1/vault/approvals", json=ASKED | {"subjects": most})).json()
    await signed_for("second").post(f"/v1/vault/approvals/{asked['id']}/approve")
    question = {name: value for name, value in LEGAL.items() if value is not ...} | {"approval": asked["id"]}
    lines, _ = told(await batch(client, *(people[number % 6] for number in range(count)), question=question))

    assert [line["outcome"] for line in lines] == ["permit"] * most + ["beyond_approval"] * (count - most)
    assert not [line for line in lines[most:] if "reveal" in line]


async def test_the_stream_goes_on_over_many_chunks(client: httpx.AsyncClient, people: list[str]):
    count = 2 * CHUNK + 30
    lines, summary = told(await batch(client, *(people[number % 6] for number in range(count))))

    assert [line["line"] for line in lines] == list(range(1, count + 1))
    assert summary["lines"] == count
    assert {line["outcome"] for line in lines[::2]} == {"permit"}


class Spoken:
    """A client that speaks ASGI itself: it counts what is read of it, and reads when it likes."""

    def __init__(self, site: Litestar, token: str) -> None:
        self.asked = 0
        self.told: list[dict[str, Any]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._site = site
        self._token = token

    async def speak(self, parts: AsyncIterator[bytes]) -> None:
        async def receive() -> Any:
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return {"type": "http.disconnect"}
            self.asked += 1
            return {"type": "http.request", "body": part, "more_body": True}

        async def send(message: Any) -> None:
            await self.may_read.wait()
            self.told.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/vault/reveal/batch", "raw_path": b"/v1/vault/reveal/batch",
            "query_string": b"", "root_path": "", "http_version": "1.1",
            "headers": [(b"authorization", self._token.encode()), (b"content-type", b"application/x-ndjson")],
        }  # fmt: skip
        await self._site(scope, receive, send)  # type: ignore[arg-type]


async def endless(people: list[str]) -> AsyncIterator[bytes]:
    yield body()
    while True:
        yield body(*people * 20).partition(b"\n")[2]


async def test_who_does_not_read_is_not_read(site: Litestar, client: httpx.AsyncClient, people: list[str]):
    slow = Spoken(site, client.headers["authorization"])
    slow.may_read.clear()
    work = asyncio.create_task(slow.speak(endless(people)))
    await asyncio.sleep(1)
    asked = slow.asked
    await asyncio.sleep(1)

    assert asked == slow.asked <= 3
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_who_goes_away_ends_the_work(site: Litestar, client: httpx.AsyncClient, people: list[str], log: Any):
    async def two() -> AsyncIterator[bytes]:
        yield body()
        yield body(*people).partition(b"\n")[2]

    gone = Spoken(site, client.headers["authorization"])
    await asyncio.wait_for(gone.speak(two()), 10)

    assert b"summary" not in b"".join(each.get("body", b"") for each in gone.told)
    assert gone.told[-1]["more_body"] is True, "the answer is cut off, not ended"
    assert len(await entries(client, "vault.revealed")) == 3
    assert b'"bug"' not in log.getvalue()
