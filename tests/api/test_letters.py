"""What is written about requests: sealed under the person's key, read by them and by staff, gone with it."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from service.kernel import Caller, TenantId
from service.transaction import Begin
from service.vault import DestroyKey
from tests.api.test_identity import asked, events, problem
from tests.conftest import Database, FakeClock

TEXT: Final = "We keep your invoices for ten years, Anna Kovács: the tax office wants them."
PNG: Final = b"\x89PNG\r\n\x1a\n a signature of Anna Kovacs"
Client = httpx.AsyncClient
Clients = Callable[..., Client]


def file(**changes: Any) -> dict[str, Any]:
    return {"media_type": "image/png", "content": base64.b64encode(PNG).decode()} | changes


async def write(client: Client, request: dict[str, Any], **body: Any) -> httpx.Response:
    return await client.post(f"/v1/requests/{request['id']}/letters", json={"id": str(uuid4())} | body)


async def letters(client: Client, request: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/requests/{request['id']}/letters")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["letters"]
    return found


async def open_(client: Client, request: dict[str, Any], letter: dict[str, Any]) -> httpx.Response:
    return await client.get(f"/v1/requests/{request['id']}/letters/{letter['id']}")


@pytest.fixture
def dump(database: Database) -> Callable[[], str]:
    """Returns everything that the database holds, but for what a tenant's keys seal."""

    def dump() -> str:
        with psycopg.connect(database.urls.admin, autocommit=True) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            return "".join(
                str(connection.execute(f'SELECT t::text FROM "{name}" AS t').fetchall()) for (name,) in tables
            )

    return dump


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param({"text": TEXT}, {"media_type": "text/plain", "text": TEXT, "content": None}, id="text"),
        pytest.param(file(), file(text=None), id="file"),
        pytest.param(
            file(content=base64.b64encode(bytes(1024 * 1024)).decode()),
            file(content=base64.b64encode(bytes(1024 * 1024)).decode(), text=None),
            id="1 MiB",
        ),
    ],
)
async def test_a_letter_is_read_as_it_was_written_and_lies_sealed(
    client: Client, dump: Callable[[], str], sent: dict[str, Any], shown: dict[str, Any]
):
    request = await asked(client)
    written = await write(client, request, **sent)
    assert (written.status_code, written.json()["own"], written.json()["about"]) == (201, False, "message")

    answer = await open_(client, request, written.json())
    assert answer.headers["cache-control"] == "no-store"
    assert {name: answer.json()[name] for name in shown} == shown
    assert await letters(client, request) == [written.json()]
    lies = dump()
    assert "tax office" not in lies
    assert PNG.hex() not in lies


async def test_of_staff_each_reading_leaves_an_entry_and_of_the_person_none(client: Client, client_of: Clients):
    request = await asked(client)
    letter = (await write(client, request, text=TEXT)).json()
    anna = client_of(subject="anna")
    assert await letters(anna, request) == [letter]
    assert (await open_(anna, request, letter)).json()["text"] == TEXT
    assert "request.letter_read" not in await events(client)

    for _ in range(2):
        await open_(client, request, letter)
    told = await events(client)
    assert told.count("request.letter_read") == 2
    assert {"request.letter_written", "vault.value_stored"} <= set(told)


async def test_the_person_answers_and_staff_tells_why_it_refuses(client: Client, client_of: Clients, clock: FakeClock):
    request, anna = await asked(client), client_of(subject="anna")
    answered = await write(anna, request, text="I only ask for my invoices.")
    assert (answered.status_code, answered.json()["own"]) == (201, True)
    assert problem(await write(anna, request, text="No.", about="refusal")) == (409, "for_staff")
    clock.advance(timedelta(minutes=1))

    await client.post(f"/v1/requests/{request['id']}/refuse", json={"version": 1, "reason": "excessive"})
    refusal = await write(client, request, text=TEXT, about="refusal")
    assert refusal.status_code == 201, "also once it is refused"
    assert [each["about"] for each in await letters(anna, request)] == ["message", "refusal"]
    assert (await open_(anna, request, refusal.json())).json()["text"] == TEXT


async def test_nobody_reads_or_writes_about_what_is_another_persons(client: Client, client_of: Clients):
    request = await asked(client)
    letter = (await write(client, request, text=TEXT)).json()
    ben = client_of(subject="ben")

    assert problem(await write(ben, request, text="Hello")) == (404, "request_unknown")
    assert problem(await open_(ben, request, letter)) == (404, "request_unknown")
    assert (await ben.get(f"/v1/requests/{request['id']}/letters")).status_code == 404
    other = await asked(client, "portability")
    assert problem(await open_(client, other, letter)) == (404, "letter_unknown"), "nor under another request"


async def test_the_same_again_changes_nothing_and_other_content_is_refused(client: Client):
    request, other = await asked(client), await asked(client, "portability")
    one = {"id": str(uuid4()), "text": TEXT}
    assert [(await write(client, request, **one)).status_code for _ in range(3)] == [201, 200, 200]
    for changed in ({"text": "X" * len(TEXT.encode())}, {"text": TEXT, "about": "refusal"}):
        assert problem(await write(client, request, **one | changed)) == (409, "letter_id_reused")
    assert problem(await write(client, other, **one)) == (409, "letter_id_reused")
    assert len(await letters(client, request)) == 1


async def test_what_is_written_over_a_letter_in_the_vault_changes_nothing_in_it(client: Client):
    request = await asked(client)
    letter = (await write(client, request, text=TEXT)).json()
    name = f"/v1/vault/anna/request_letter%23{UUID(letter['id']).hex}"
    assert (await client.put(name, json={"value": file()})).status_code == 200
    assert (await client.delete(name)).status_code == 204

    assert (await open_(client, request, letter)).json()["text"] == TEXT


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "letter_unclear"),
        (file(text=TEXT), "letter_unclear"),
        ({"media_type": "image/png"}, "letter_unclear"),
        (file(content=base64.b64encode(bytes(1024 * 1024 + 1)).decode()), "letter_too_large"),
        (file(media_type="text/html"), "invalid_request"),
        (file(media_type="image/svg+xml"), "invalid_request"),
        ({"text": ""}, "invalid_request"),
        ({"text": TEXT, "about": "gossip"}, "invalid_request"),
        ({"text": TEXT, "name": "passport of Anna.pdf"}, "invalid_request"),
    ],
)
async def test_what_is_no_letter_is_refused(client: Client, body: dict[str, Any], code: str):
    request = await asked(client)

    assert problem(await write(client, request, **body)) == (400, code)
    assert await letters(client, request) == []


@pytest.mark.parametrize(
    "end",
    [
        [("refuse", {"reason": "identity_unproven"})],
        [("withdraw", {})],
        [("verify", {"reason": "staff_decision"}), ("execute", {}), ("complete", {})],
    ],
    ids=["refused", "withdrawn", "answered"],
)
async def test_what_showed_who_somebody_is_goes_when_the_case_ends(
    client: Client, database: Database, tenant: TenantId, end: list[tuple[str, dict[str, str]]]
):
    request = await asked(client)
    proofs = [(await write(client, request, about=about, **file())).json() for about in ("authority", "identity")]
    message = (await write(client, request, text=TEXT)).json()
    assert (await open_(client, request, proofs[0])).status_code == 200
    for version, (move, body) in enumerate(end, 1):
        moved = await client.post(f"/v1/requests/{request['id']}/{move}", json={"version": version} | body)
        assert moved.status_code == 200, moved.text

    assert [problem(await open_(client, request, each)) for each in proofs] == [(410, "letter_gone")] * 2
    assert (await open_(client, request, message)).json()["text"] == TEXT
    with psycopg.connect(database.urls.owner) as connection:
        kept = connection.execute("SELECT field FROM vault_value WHERE tenant = %s", (tenant,)).fetchall()
    assert kept == [("request_letter",)]
    assert (await events(client)).count("vault.value_deleted") == 2
    assert problem(await write(client, request, about="identity", **file())) == (409, "move_not_allowed")


async def test_letters_follow_a_person_who_was_merged_and_go_with_their_key(
    client: Client, begin: Begin, clock: FakeClock, tenant: TenantId, caller: Caller
):
    request = await asked(client, subject="anna-old")
    letter = (await write(client, request, text=TEXT)).json()
    await client.put("/v1/subjects/anna", json={"residence": "DE"})
    merged = await client.post("/v1/subjects/anna/merge", json={"with": "anna-old", "same": True})
    assert merged.status_code == 200, merged.text
    assert (await open_(client, request, letter)).json()["text"] == TEXT

    async with begin(tenant) as tx:
        handle = (await tx.subjects.find("anna")).handle  # type: ignore[union-attr, arg-type]
    await DestroyKey(begin, clock)(handle, by=caller)
    assert problem(await open_(client, request, letter)) == (410, "letter_gone")
    assert problem(await write(client, request, text=TEXT)) == (410, "subject_erased")
    assert [each["id"] for each in await letters(client, request)] == [letter["id"]]


async def test_the_application_removes_proofs_of_its_tenant_and_nothing_else(
    client: Client, database: Database, tenant: TenantId
):
    request = await asked(client)
    proof = (await write(client, request, about="identity", **file())).json()
    letter = (await write(client, request, text=TEXT)).json()
    labels = [UUID(each["id"]).hex for each in (proof, letter)]
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        handles = "SELECT DISTINCT handle FROM vault_value"
        drop = "SELECT * FROM vault_drop_proofs(%s, %s)"
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        ((handle,),) = connection.execute(handles).fetchall()
        connection.execute("SELECT set_config('volens.tenant', 'another', false)")
        assert connection.execute(drop, (handle, labels)).fetchall() == []
        connection.execute("SELECT set_config('volens.tenant', %s, false)", (tenant,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM vault_value")
        assert connection.execute(drop, (handle, labels)).fetchall() == [(labels[0],)]
