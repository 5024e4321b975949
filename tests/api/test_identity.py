"""Who asks shows who they are: by a code, by what the vault has of them, or by their own token."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg
import pytest

from service.kernel import TenantId
from service.settings import Settings
from tests.conftest import Database, FakeClock

BERLIN: Final = {"place": "DE-BE", "time_zone": "Europe/Berlin"}
HOME: Final = {"lines": ["Hauptstr. 5"], "locality": "Wien", "postcode": "1010", "country": "AT"}
ANNA: Final = {
    "email": "anna@mail.example",
    "phone": "+49 30 1234567",
    "name": "Anna Kovács",
    "birth_date": "1980-05-17",
}
Client = httpx.AsyncClient
Clients = Callable[..., Client]
Read = Callable[..., Awaitable[str]]


async def asked(client: Client, right: str = "access", subject: str = "anna", **changes: Any) -> dict[str, Any]:
    body = {"id": str(uuid4()), "subject": subject, "right": right, "via": "email"} | BERLIN | changes
    answer = await client.post("/v1/requests", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def send(client: Client, request: dict[str, Any], **body: Any) -> httpx.Response:
    return await client.post(f"/v1/requests/{request['id']}/identity/code", json=body)


async def show(client: Client, request: dict[str, Any], **body: Any) -> httpx.Response:
    return await client.post(f"/v1/requests/{request['id']}/identity", json=body)


async def read(client: Client, request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/v1/requests/{request['id']}")).json()
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]


CODES: Final = """
    SELECT * FROM request_challenge
    WHERE tenant = %(tenant)s AND (mark IS NOT NULL OR method IS NOT NULL OR expires_at IS NOT NULL)
"""
NOT_SHOWN: Final = (409, "identity_not_shown")


@pytest.fixture
async def anna(client: Client, clock: FakeClock) -> None:
    """The vault knows her since yesterday."""
    for field, value in (ANNA | {"postal_address": HOME}).items():
        assert (await client.put(f"/v1/vault/anna/{field}", json={"value": value})).status_code == 201
    clock.advance(timedelta(days=1))


@pytest.fixture
def code_for(settings: Settings) -> Read:
    """Reads the first code of a request, or another, out of the file that stands for mail here."""

    async def code_for(request: str, nth: int = 1) -> str:
        place = settings.data / "codes.txt"
        for _ in range(200):
            lines = [line.split() for line in place.read_text().splitlines()] if place.exists() else []
            if len(codes := [line[-1] for line in lines if line[2] == request]) >= nth:
                return codes[nth - 1]
            await asyncio.sleep(0.01)
        raise AssertionError("no code was sent")

    return code_for


@pytest.fixture
def row(database: Database, tenant: TenantId) -> Callable[[str], list[Any]]:
    """Asks the database, as its owner, for what lies there of the tenant."""

    def row(query: str) -> list[Any]:
        with psycopg.connect(database.urls.owner, autocommit=True) as connection:
            return connection.execute(query, {"tenant": tenant}).fetchall()

    return row


async def events(client: Client) -> list[str]:
    entries = (await client.get("/v1/audit/entries", params={"limit": 100})).json()["entries"]
    return [entry["event"] for entry in entries]


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(("address", "method"), [("email", "e_mail_code"), ("phone", "phone_code")])
async def test_the_right_code_verifies(client: Client, code_for: Read, address: str, method: str):
    request = await asked(client)
    sent = await send(client, request, address=address)
    assert (sent.status_code, sent.json()["expires_at"]) == (202, "2026-11-22T09:10:00Z")
    assert (await read(client, request))["state"] == "verifying", "identity was asked for"

    shown = await show(client, request, code=await code_for(request["id"]))

    assert shown.status_code == 200, shown.text
    assert (shown.json()["state"], shown.json()["identity"]["verified"]) == ("accepted", "reasonable")
    assert shown.json()["history"][-1]["reason"] == method
    assert {"request.code_sent", "vault.revealed", "request.verified"} <= set(await events(client))


@pytest.mark.usefixtures("anna")
async def test_a_code_is_good_once_and_nothing_is_left_of_it(client: Client, code_for: Read, row: Any):
    request = await asked(client)
    await send(client, request)
    code = await code_for(request["id"])
    kept = row("SELECT encode(mark, 'hex') FROM request_challenge WHERE tenant = %(tenant)s")
    assert len(kept) == 1
    assert code not in str(kept)
    assert (await show(client, request, code=code)).status_code == 200

    assert problem(await show(client, request, code=code)) == (409, "move_not_allowed")
    assert row(CODES) == []


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(("move", "reason"), [("refuse", "identity_unproven"), ("withdraw", None)])
async def test_nothing_is_left_of_a_code_where_the_case_ends(
    client: Client, code_for: Read, row: Any, move: str, reason: str | None
):
    request = await asked(client)
    await send(client, request)
    code = await code_for(request["id"])
    body = {"version": 2} | ({"reason": reason} if reason else {})
    assert (await client.post(f"/v1/requests/{request['id']}/{move}", json=body)).status_code == 200

    assert row(CODES) == []
    assert problem(await show(client, request, code=code)) == (409, "move_not_allowed")


@pytest.mark.usefixtures("anna")
async def test_after_five_wrong_tries_the_right_code_is_as_wrong_as_any(client: Client, code_for: Read):
    request = await asked(client)
    await send(client, request)
    code = await code_for(request["id"])
    wrong = f"{(int(code) + 1) % 10**8:08}"
    answers = [await show(client, request, code=wrong) for _ in range(5)]
    answers.append(await show(client, request, code=code))

    assert {problem(answer) for answer in answers} == {NOT_SHOWN}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert (await events(client)).count("request.identity_failed") == 6

    await send(client, request)
    second = await code_for(request["id"], 2)
    assert (await show(client, request, code=second)).status_code == 200, "a new one is good"


@pytest.mark.usefixtures("anna")
async def test_many_tries_at_once_are_no_more_than_five(client: Client, code_for: Read, row: Any):
    request = await asked(client)
    await send(client, request)
    code = await code_for(request["id"])
    wrong = f"{(int(code) + 1) % 10**8:08}"
    await asyncio.gather(*(show(client, request, code=wrong) for _ in range(8)))

    assert row("SELECT tries FROM request_challenge WHERE tenant = %(tenant)s") == [(8,)]
    assert problem(await show(client, request, code=code)) == NOT_SHOWN


@pytest.mark.usefixtures("anna")
async def test_a_code_is_good_for_ten_minutes_and_the_next_one_ends_it(
    client: Client, code_for: Read, clock: FakeClock
):
    request = await asked(client)
    await send(client, request)
    first = await code_for(request["id"])
    clock.advance(timedelta(minutes=10))
    assert problem(await show(client, request, code=first)) == NOT_SHOWN

    await send(client, request)
    second = await code_for(request["id"], 2)
    if first != second:
        assert problem(await show(client, request, code=first)) == NOT_SHOWN
    clock.advance(timedelta(minutes=10) - timedelta(seconds=1))
    assert (await show(client, request, code=second)).status_code == 200


@pytest.mark.usefixtures("anna")
async def test_a_code_of_one_request_shows_nothing_for_another(client: Client, code_for: Read):
    one, other = await asked(client), await asked(client, "portability")
    for request in (one, other):
        await send(client, request)
    first, second = await code_for(one["id"]), await code_for(other["id"])

    assert first == second or problem(await show(client, other, code=first)) == NOT_SHOWN


@pytest.mark.usefixtures("anna")
async def test_a_person_is_sent_five_codes_a_day_whatever_they_asked_for(
    client: Client, code_for: Read, clock: FakeClock
):
    one, other = await asked(client), await asked(client, "portability")
    for request in (one, other, one, other, one):
        assert (await send(client, request)).status_code == 202
    refused = await send(client, other)

    assert problem(refused) == (429, "too_many_codes")
    assert refused.headers["retry-after"] == "86400"
    clock.advance(timedelta(days=1))
    assert (await send(client, other)).status_code == 202


@pytest.mark.usefixtures("anna")
async def test_whether_there_is_an_address_is_told_to_nobody(client: Client, row: Any, settings: Settings):
    """The same answer, and the same done for it, for somebody nobody knew, and for an address that isn't there."""
    await asked(client)
    traces = []
    for subject, address in (("anna", "email"), ("nobody-knew", "email"), ("anna", "email#work")):
        request = await asked(client, "portability", subject)
        before = len(await events(client))
        answer = await send(client, request, address=address)
        guess = await show(client, request, code="00000000")
        told = await show(client, request, said={"email": "eve@mail.example", "birth_date": "1980-05-17"})
        assert (problem(told), told.json()["detail"]) == (NOT_SHOWN, guess.json()["detail"])
        traces.append((
            answer.status_code, answer.json() | {"request": "…"}, problem(guess), guess.json()["detail"],
            (await events(client))[: len(await events(client)) - before],
        ))  # fmt: skip
        await client.post(f"/v1/requests/{request['id']}/withdraw", json={"version": 2})

    assert traces[0] == traces[1] == traces[2]
    assert traces[0][1] == {"request": "…", "channel": "email", "expires_at": "2026-11-22T09:10:00Z"}
    await asyncio.sleep(0.1)
    assert len((settings.data / "codes.txt").read_text().splitlines()) == 1


@pytest.mark.usefixtures("anna")
async def test_an_address_that_came_after_the_request_gets_no_code(
    client: Client, clock: FakeClock, settings: Settings
):
    """Or somebody could ask in another's name, change the address, and be sent the code."""
    request = await asked(client)
    clock.advance(timedelta(minutes=1))
    assert (await client.put("/v1/vault/anna/email", json={"value": "eve@mail.example"})).status_code == 200

    assert (await send(client, request)).status_code == 202
    await asyncio.sleep(0.2)
    assert not (settings.data / "codes.txt").exists()


async def test_no_address_can_be_named(client: Client):
    request = await asked(client)
    for address in ("eve@mail.example", "+49 30 7654321", "name", "document", "email#Work"):
        assert (await send(client, request, address=address)).status_code == 400
    assert (await send(client, request, to="eve@mail.example")).status_code == 400


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"email": "ANNA@mail.example", "birth_date": "1980-05-17"}, id="through the index and opened"),
        pytest.param({"phone": "+49301234567", "name": "anna  kovács"}, id="in another spelling"),
        pytest.param(
            {"email": "anna@mail.example", "postal_address": HOME | {"lines": ["hauptstr. 5"]}}, id="an address"
        ),
    ],
)
async def test_two_things_that_are_kept_are_enough_for_a_reasonable_degree(
    client: Client, said: dict[str, Any], row: Any
):
    shown = await show(client, request := await asked(client), said=said)

    assert shown.status_code == 200, shown.text
    assert shown.json()["history"][-1]["reason"] == "two_data_points"
    assert (await read(client, request))["state"] == "accepted"
    assert row("SELECT mistakes FROM request_challenge WHERE tenant = %(tenant)s") == [(0,)], "the truth is no mistake"


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"email": "anna@mail.example", "birth_date": "1980-05-18"}, id="one is wrong"),
        pytest.param({"email": "eve@mail.example", "birth_date": "1980-05-17"}, id="the other is"),
        pytest.param({"email": "anna@mail.example", "birth_date": "long ago"}, id="no date"),
        pytest.param({"email": "anna@mail.example", "postal_address": HOME | {"locality": "Graz"}}, id="another town"),
        pytest.param({"email": "anna@mail.example", "national_id": "ID 1"}, id="what the vault hasn't"),
        pytest.param({"email": "anna@mail.example", "document": "a passport"}, id="a document"),
        pytest.param(ANNA | {"name": "Anna Kovacs"}, id="three of four"),
    ],
)
async def test_of_what_is_wrong_the_answer_says_only_that_it_is_not_enough(
    client: Client, said: dict[str, Any], row: Any
):
    request = await asked(client)
    answer = await show(client, request, said=said)

    assert problem(answer) == NOT_SHOWN
    assert answer.json()["detail"] == "that is not enough to show who it is"
    texts = [value for value in said.values() if isinstance(value, str)]
    assert not [value for value in texts if value in answer.text]
    assert (await read(client, request))["state"] == "received"
    kept = str(row("SELECT * FROM request_challenge WHERE tenant = %(tenant)s"))
    assert not [value for value in texts if value in kept]


@pytest.mark.usefixtures("anna")
async def test_after_five_mistakes_a_day_the_truth_is_not_enough(client: Client, clock: FakeClock):
    request = await asked(client)
    truth = {"email": "anna@mail.example", "birth_date": "1980-05-17"}
    for day in range(1, 6):
        assert problem(await show(client, request, said=truth | {"birth_date": f"1980-06-0{day}"})) == NOT_SHOWN

    assert problem(await show(client, request, said=truth)) == NOT_SHOWN
    await client.post(f"/v1/requests/{request['id']}/withdraw", json={"version": 1})
    request = await asked(client, "portability")
    assert problem(await show(client, request, said=truth)) == NOT_SHOWN, "nor for anything else they ask for"
    clock.advance(timedelta(days=1))
    assert (await show(client, request, said=truth)).status_code == 200


@pytest.mark.usefixtures("anna")
async def test_in_california_the_pieces_take_three_things_and_a_declaration(client: Client, code_for: Read):
    """11 CCR 7062(c)."""
    request = await asked(client, law="CCPA")
    three = {name: ANNA[name] for name in ("email", "phone", "birth_date")}
    for body in ({"said": three}, {"said": dict(list(three.items())[:2]), "declaration": True}):
        assert problem(await show(client, request, **body)) == (409, "verification_needed")
    assert problem(await send(client, request)) == (409, "verification_needed")

    shown = await show(client, request, said=three, declaration=True)
    assert (shown.json()["state"], shown.json()["identity"]["verified"]) == ("accepted", "high")


@pytest.mark.usefixtures("anna")
async def test_their_own_token_shows_who_they_are_where_staff_entered_it(client: Client, client_of: Clients):
    request = await asked(client)

    assert problem(await show(client, request)) == NOT_SHOWN, "staff has no log-in of the person's"
    assert problem(await show(client_of(subject="ben"), request)) == (404, "request_unknown")
    shown = await show(client_of(subject="anna"), request)
    assert (shown.json()["state"], shown.json()["history"][-1]["reason"]) == ("accepted", "log_in")


@pytest.mark.usefixtures("anna")
async def test_an_agent_shows_their_authority_first_and_the_person_gets_the_code(client: Client, code_for: Read):
    """11 CCR 7063(a)."""
    request = await asked(client, "erasure", law="CCPA", via="agent")
    assert problem(await send(client, request)) == (409, "verification_needed")
    assert problem(
        await client.post(f"/v1/requests/{request['id']}/authorise", json={"version": 1, "authority": "a_nod"})
    ) == (409, "method_unknown")
    path = f"/v1/requests/{request['id']}/authorise"
    authorised = await client.post(path, json={"version": 1, "authority": "signed_permission"})
    assert (authorised.json()["state"], authorised.json()["identity"]["authorised"]) == ("received", True)

    await send(client, request)
    shown = await show(client, request, code=await code_for(request["id"]))
    assert shown.json()["state"] == "accepted"


@pytest.mark.usefixtures("anna")
async def test_codes_follow_a_person_who_was_merged(client: Client, code_for: Read):
    request = await asked(client, subject="anna-old")
    merged = await client.post("/v1/subjects/anna/merge", json={"with": "anna-old", "same": True})
    assert merged.status_code == 200, merged.text

    await send(client, request)
    assert (await show(client, request, code=await code_for(request["id"]))).status_code == 200
