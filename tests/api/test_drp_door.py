"""The Data Rights Protocol 1.0: agents ask for people, and what they say is believed by its signature."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from litestar import Litestar
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from service.connecting import guard
from service.doors.telling import TellStatus
from service.downstreams.ed25519 import Ed25519
from service.downstreams.outgoing import outgoing
from service.kernel import TenantId
from service.porch import telling
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.settings import Settings
from service.transaction import Begin
from tests.agent import BUSINESS, TEXT, Agent, listed_in, unreadable
from tests.api.test_opendsr_door import cases, known
from tests.conftest import FakeClock
from tests.downstream import System, listening

pytestmark = pytest.mark.usefixtures("seated")
PATH = "/v1/data-rights-request"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, tenant: TenantId, add_tenant: Callable[[], TenantId]) -> Settings:
    return structs.replace(
        settings,
        drp_directory=str(tmp_path / "agents.json"),
        drp_businesses={BUSINESS: tenant, "BAKERY": add_tenant()},
        downstream_http=True,
        downstream_networks="127.0.0.0/8",
    )


@pytest.fixture
async def tell(settings: Settings, engine: AsyncEngine, begin: Begin, clock: FakeClock) -> AsyncIterator[TellStatus]:
    """Tells agents how far their requests are, as the worker does."""
    async with guarded_root_keys(settings, root_uses(begin)) as root, outgoing(guard(settings), limit=1.0) as send:
        yield telling(settings, begin, vault_keys(settings, root, engine, clock), send, clock, uuid7)


@pytest.fixture
async def nobody(site: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any token of ours."""
    transport = httpx.ASGITransport(site, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://volens.example") as client:
        yield client


@pytest.fixture
def other(nobody: httpx.AsyncClient, clock: FakeClock) -> Agent:
    return Agent(nobody, clock, "OTHER_AGENT")


@pytest.fixture
async def agent(nobody: httpx.AsyncClient, clock: FakeClock, settings: Settings, other: Agent) -> Agent:
    """An agent who has a token, as `other` has."""
    agent = Agent(nobody, clock)
    listed_in(Path(str(settings.drp_directory)), agent, other)
    for each in (agent, other):
        answer = await each.enrol()
        assert answer.status_code == 200, answer.text
    return agent


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    said = answer.json()
    assert (said["code"], said["status"]) == (str(answer.status_code), answer.status_code)
    return answer.status_code, said["message"], said["fatal"]


def test_a_published_signature_verifies_and_a_changed_one_does_not() -> None:
    """RFC 8032, section 7.1, test 3."""
    key = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    message = bytes.fromhex("af82")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )

    assert Ed25519().verifies(key, signature, message)
    assert not Ed25519().verifies(key, signature, message + b"\0")
    assert not Ed25519().verifies(key[:-1], signature, message)


async def test_a_token_is_good_until_the_next_one(agent: Agent, clock: FakeClock) -> None:
    path = f"/v1/agent/{agent.name}"
    assert (await agent.ask("GET", path)).json() == {}
    before = agent.token

    clock.advance(timedelta(seconds=1))
    await agent.enrol()

    assert (await agent.ask("GET", path)).status_code == 200
    agent.token = before
    assert refused(await agent.ask("GET", path)) == (401, "no agent has this token", False)


async def test_a_token_says_nothing_for_another_agent(agent: Agent, other: Agent) -> None:
    assert refused(await agent.ask("GET", f"/v1/agent/{other.name}"))[0] == 403


async def test_a_copy_of_a_message_gets_no_token(agent: Agent, clock: FakeClock) -> None:
    clock.advance(timedelta(seconds=1))
    message = agent.signed(agent.said())
    path = f"/v1/agent/{agent.name}"

    first, copy = [await agent.client.post(path, content=message, headers=TEXT) for _ in range(2)]

    assert first.status_code == 200
    assert refused(copy)[0] == 403


async def test_a_deletion_becomes_a_case_with_the_signed_message_as_authority(
    agent: Agent, client: httpx.AsyncClient
) -> None:
    await known(client, "ada", "ada@mail.example")

    answer = await agent.exercise(agent_request_id="r-1")

    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["status"], said["agent_request_id"]) == ("in_progress", "r-1")
    assert said["expected_by"] > said["received_at"]
    (case,) = await cases(client)
    assert (case["id"], case["subject"], case["right"], case["law"], case["via"]) == (
        said["request_id"], "ada", "erasure", "CCPA", "agent",
    )  # fmt: skip
    assert case["identity"]["authorised"]
    assert [each["move"] for each in case["history"]] == ["receive", "authorise"]
    (letter,) = (await client.get(f"/v1/requests/{case['id']}/letters")).json()["letters"]
    kept = (await client.get(f"/v1/requests/{case['id']}/letters/{letter['id']}")).json()
    assert kept["about"] == "authority"
    assert json.loads(base64.b64decode(kept["text"])[64:])["agent-request-id"] == "r-1"


async def test_nobody_is_told_whether_somebody_is_known(agent: Agent, client: httpx.AsyncClient) -> None:
    await known(client, "ada", "ada@mail.example")
    seen = []
    for address in ("ada@mail.example", "nobody@mail.example"):
        for exercise in ("deletion", "access", "access:categories", "sale:opt-out"):
            taken = await agent.exercise(exercise=exercise, email=address, agent_request_id=f"{address}{exercise}")
            path = f"{PATH}/{taken.json()['request_id']}"
            status = await agent.ask("GET", path)
            gone = await agent.ask("DELETE", path, agent.signed({"reason": "no more"}))
            answers = [(each.status_code, each.json()) for each in (taken, status, gone)]
            own = ("request_id", "agent_request_id")
            seen.append([(code, {name: said[name] for name in said if name not in own}) for code, said in answers])

    assert seen[:4] == seen[4:]
    assert {each[2][1]["status"] for each in seen} == {"revoked"}


async def test_an_opt_out_counts_at_once_for_everybody_it_fits(agent: Agent, client: httpx.AsyncClient) -> None:
    for subject in ("ada", "bob"):
        await known(client, subject, "ada@mail.example")

    answer = await agent.exercise(exercise="sale:opt-out")

    (case,) = await cases(client)
    assert case["subject"] == f"claim:{answer.json()['request_id']}"
    assert case["state"] == "accepted"
    for subject in ("ada", "bob", case["subject"]):
        records = (await client.get(f"/v1/subjects/{subject}/records")).json()["records"]
        assert [each["action"] for each in records] == ["opt_out_sale"]
        assert records[0]["evidence"] == f"request:{case['id']}"


async def test_of_several_people_nobody_is_shown_to_an_agent(agent: Agent, client: httpx.AsyncClient) -> None:
    for subject in ("ada", "bob"):
        await known(client, subject, "ada@mail.example")
    await agent.exercise(exercise="access")

    (case,) = await cases(client)

    assert case["subject"].startswith("claim:")
    refused = await client.post(f"/v1/requests/{case['id']}/execute", json={"version": case["version"]})
    assert refused.status_code == 409


async def test_the_same_is_answered_like_the_first_time_and_anything_else_under_its_id_is_refused(
    agent: Agent, client: httpx.AsyncClient, clock: FakeClock
) -> None:
    first = await agent.exercise(agent_request_id="r-1")
    clock.advance(timedelta(minutes=5))

    again = await agent.exercise(agent_request_id="r-1")
    changed = await agent.exercise(agent_request_id="r-1", email="bob@mail.example")

    assert again.json() == first.json()
    assert refused(changed)[0] == 409
    assert len(await cases(client)) == 1


async def test_a_copy_of_a_message_makes_no_second_case(agent: Agent, client: httpx.AsyncClient) -> None:
    message = agent.signed(agent.wish())
    one = await agent.ask("POST", PATH, message)

    other = await agent.ask("POST", PATH, "\n".join([message[:80], message[80:]]))

    assert one.json() == other.json()
    assert len(await cases(client)) == 1


async def test_what_another_key_signed_is_refused(agent: Agent, other: Agent) -> None:
    forged = other.signed(agent.wish())

    assert refused(await agent.ask("POST", PATH, forged)) == (403, "the message is not signed by this agent", True)
    agent.token = other.token
    assert refused(await agent.ask("POST", PATH, forged)) == (403, "the message names another agent", True)


async def test_a_changed_message_is_refused(agent: Agent) -> None:
    raw = base64.b64decode(agent.signed(agent.wish()))

    assert refused(await agent.ask("POST", PATH, base64.b64encode(raw.replace(b"Ada", b"Eve")).decode()))[0] == 403


@pytest.mark.parametrize(
    ("members", "status", "why"),
    [
        ({"business-id": "BAKERY"}, 403, "the message is for another business"),
        ({"business-id": "NOBODY"}, 403, "the message is for another business"),
        ({"issued-at": "2026-11-21T09:00:01Z"}, 400, "the message was issued later than now"),
        ({"expires-at": "2026-11-21T09:00:00Z"}, 400, "the message has expired"),
        ({"issued-at": "2026-11-21T08:00:00"}, 400, "what is signed is none of the protocol's messages"),
        ({"issued-at": "2026-11-20T08:59:59Z"}, 400, "the message is too old"),
        ({"issued-at": "0001-01-01T00:00:00+14:00"}, 400, "the message is too old"),
        ({"drp.version": "0.5"}, 400, "another version of the protocol"),
        ({"exercise": "sale:opt-in"}, 400, "unsupported rights action"),
        ({"regime": "gdpr"}, 400, "another regime than ccpa"),
    ],
)
async def test_a_message_counts_here_now_and_for_what_there_is(
    agent: Agent, client: httpx.AsyncClient, members: dict[str, Any], status: int, why: str
) -> None:
    answer = await agent.ask("POST", PATH, agent.signed(agent.wish() | members))

    assert refused(answer) == (status, why, True)
    assert await cases(client) == []


@pytest.mark.parametrize("odd", [10**30, "\ud800", [[[]]], {"a": -0.0}, 1e300, "\0"])
async def test_a_claim_may_be_anything_and_is_only_kept(agent: Agent, odd: Any) -> None:
    answer = await agent.exercise(email=odd, custom=odd, agent_request_id="r-1")

    assert answer.status_code in {200, 400}
    assert (await agent.exercise(email=odd, custom=odd, agent_request_id="r-1")).status_code == answer.status_code


async def test_what_is_nested_too_deeply_is_refused(agent: Agent) -> None:
    body = json.dumps(agent.wish()).encode()[:-1] + b', "custom": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    signed = base64.b64encode(agent.key.sign(body) + body).decode()

    assert refused(await agent.ask("POST", PATH, signed))[0] == 400


@pytest.mark.parametrize("content", ["{}", "AAAA", "!!!!"])
async def test_what_is_no_signed_message_is_refused(agent: Agent, content: str) -> None:
    assert refused(await agent.ask("POST", PATH, content))[0] == 400


async def test_a_request_of_another_agent_is_a_403_and_unknown_ones_a_404(agent: Agent, other: Agent) -> None:
    path = f"{PATH}/{(await agent.exercise()).json()['request_id']}"

    assert refused(await other.ask("GET", path))[0] == 403
    assert refused(await other.ask("DELETE", path, other.signed({"reason": ""})))[0] == 403
    assert refused(await other.ask("GET", f"{PATH}/{uuid7()}"))[0] == 404


async def test_a_message_takes_back_one_request_and_no_other(agent: Agent) -> None:
    one, other = [f"{PATH}/{(await agent.exercise(agent_request_id=name)).json()['request_id']}" for name in "ab"]
    message = agent.signed(agent.said(reason="changed my mind"))

    assert (await agent.ask("DELETE", one, message)).json()["status"] == "revoked"
    assert (await agent.ask("DELETE", one, message)).json()["status"] == "revoked"
    assert refused(await agent.ask("DELETE", other, message))[0] == 403
    assert (await agent.ask("GET", other)).json()["status"] == "in_progress"


async def test_what_is_being_carried_out_is_not_taken_back(agent: Agent, client: httpx.AsyncClient) -> None:
    path = f"{PATH}/{(await agent.exercise(exercise='sale:opt-out')).json()['request_id']}"
    (case,) = await cases(client)
    await client.post(f"/v1/requests/{case['id']}/execute", json={"version": case["version"]})

    assert refused(await agent.ask("DELETE", path, agent.signed({"reason": ""})))[0] == 409


async def test_whoever_is_struck_off_is_refused_and_without_a_directory_nobody_is_believed(
    agent: Agent, other: Agent, settings: Settings, clock: FakeClock
) -> None:
    directory = Path(str(settings.drp_directory))
    listed_in(directory, other)
    clock.advance(timedelta(minutes=10))
    assert refused(await agent.exercise())[0] == 403
    unreadable(directory)
    clock.advance(timedelta(minutes=59))
    assert (await other.exercise()).status_code == 200
    clock.advance(timedelta(minutes=2))
    assert refused(await other.exercise())[::2] == (503, False)


async def test_a_refusal_is_told_in_the_words_of_the_protocol(
    agent: Agent, client: httpx.AsyncClient, tell: TellStatus, tenant: TenantId, clock: FakeClock
) -> None:
    async with listening(System(lambda _: web.Response(status=500))) as receiver:
        await agent.exercise(status_callback=receiver.url)
        (case,) = await cases(client)
        refusal = {"version": case["version"], "reason": "identity_unproven"}
        assert (await client.post(f"/v1/requests/{case['id']}/refuse", json=refusal)).status_code == 200
        assert await tell(tenant) == ["refused"]
        receiver.answers = lambda _: web.Response(status=200)
        clock.advance(timedelta(minutes=1))
        assert await tell(tenant) == ["told"]

    told = json.loads(receiver.heard[-1].body)
    assert (told["request_id"], told["status"], told["reason"]) == (case["id"], "denied", "insuf_verification")
    assert told == (await agent.ask("GET", f"{PATH}/{case['id']}")).json()


async def test_nothing_is_told_to_private_addresses(agent: Agent, client: httpx.AsyncClient) -> None:
    answer = await agent.exercise(status_callback="http://169.254.169.254/")

    assert refused(answer)[0] == 409
    assert await cases(client) == []
