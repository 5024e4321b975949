"""Permits over HTTP: what ends one, for those who ask us and for those who verify by themselves."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service import app, auditing, retention
from service.audit import jws
from service.audit.signing import verifier_key
from service.telemetry import Telemetry
from tests.api.test_decisions import FACTS, OPT_IN, QUESTION, ask, has, knows_anna
from tests.unit.test_permits import ISSUER, Signing

PAGE = Path(__file__).parents[2] / "docs" / "permits.md"
SENT = {"channel": "email", "purpose": "marketing", "message": "m-1"}
WISH = {"audience": "relay", "message": "m-1"}


@pytest.fixture
def sender() -> dict[str, Any]:
    """What the page tells a sender to write."""
    (written,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(written, names)
    return names


@pytest.fixture
def offline(client: httpx.AsyncClient, sender: dict[str, Any], tenant) -> Callable[..., Awaitable[Any]]:
    """Verifies as the page says, with keys and a list fetched now."""

    async def verify(permit: str, **changes: Any) -> Any:
        told = (await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})).json()
        about = SENT | {"issuer": told["origin"], "audience": "relay"} | changes
        return sender["permitted"](permit, await listed(client), sender["keys_of"](told), **about)

    return verify


async def listed(client: httpx.AsyncClient) -> str:
    answer = await client.get("/v1/permits/revoked")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["revocations"])


async def given(client: httpx.AsyncClient, **question: Any) -> str:
    """Return a permit to write to Anna."""
    decision = await ask(client, **({"permit": WISH} | question))
    assert decision["decision"] == "permit"
    return str(decision["permit"])


async def verify(client: httpx.AsyncClient, permit: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/permits/verify", json={"permit": permit, "audience": "relay"} | more)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert said["valid"] is (said["why"] is None)
    return said


async def why(client: httpx.AsyncClient, permit: str, **more: Any) -> str | None:
    said = (await verify(client, permit, **more))["why"]
    return None if said is None else str(said)


def claims(permit: str) -> dict[str, Any]:
    said: dict[str, Any] = jwt.decode(permit, options={"verify_signature": False})
    return said


async def test_a_yes_comes_with_a_permit_that_a_sender_verifies_as_the_page_says(client, offline, clock, tenant):
    clock.now = datetime.now(UTC)
    await knows_anna(client, OPT_IN)
    decision = await ask(client, permit=WISH)

    said = await offline(decision["permit"])

    assert jwt.get_unverified_header(decision["permit"])["typ"] == "contact-permit+jwt"
    assert said["iss"] == f"volens.example/{tenant}"
    assert (said["decision"], said["obligations"]) == (decision["id"], decision["obligations"])
    assert said["exp"] - said["iat"] == 15 * 60
    told = await verify(client, decision["permit"], message="m-1")
    assert (told["valid"], told["burned"], told["permit"]["id"]) == (True, False, said["jti"])
    for other in (
        {"audience": "gateway"},
        {"channel": "sms"},
        {"purpose": "service"},
        {"message": "m-2"},
        {"issuer": "x"},
    ):
        with pytest.raises(jwt.InvalidTokenError):
            await offline(decision["permit"], **other)


async def test_a_permit_names_nobody(client, add_tenant, client_of):
    await knows_anna(client, OPT_IN)
    handle = (await client.get(f"/v1/decisions/{(await ask(client))['id']}")).json()["handle"]
    audiences = ("relay", "relay", "gateway")
    first, again, other = [claims(await given(client, permit={"audience": audience})) for audience in audiences]
    elsewhere = client_of(tenant=add_tenant())
    await knows_anna(elsewhere, OPT_IN)
    theirs = claims(await given(elsewhere))

    assert first["sub"] == again["sub"]
    assert len({first["sub"], other["sub"], theirs["sub"]}) == 3
    assert not {"anna", handle} & set(map(str, first.values()))


async def test_nobody_gets_a_permit_with_a_no_or_about_a_stranger_or_for_themselves(client, client_of):
    await knows_anna(client)
    denied = await ask(client, permit=True)
    stranger = await ask(client, subject="nobody", permit=True, purpose="legal_notice", channel="post")
    own = await client_of(subject="anna").post("/v1/decisions", json=QUESTION | {"permit": True})

    assert (denied["decision"], denied["permit"]) == ("deny", None)
    assert stranger["permit"] is None
    assert (own.status_code, own.json()["decision"] if own.status_code >= 500 else None) == (403, None)


async def test_no_permit_outlasts_the_decision(client, clock):
    await knows_anna(client, OPT_IN | {"expires_at": "2026-11-21T09:10:00Z"})
    decision = await ask(client, permit=WISH)
    until = datetime.fromisoformat(decision["valid_until"])
    assert until <= clock() + timedelta(minutes=10)

    assert claims(decision["permit"])["exp"] == until.timestamp()
    clock.now = until - timedelta(milliseconds=1)
    assert await why(client, decision["permit"]) is None
    clock.now = until
    assert await why(client, decision["permit"]) == "expired"


async def test_a_permit_is_about_now(client):
    await knows_anna(client, OPT_IN)
    answer = await client.post("/v1/decisions", json=QUESTION | {"permit": True, "at": "2026-11-21T08:00:00Z"})

    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (409, "permit_is_for_now")


async def test_each_failure_is_told(client, client_of, clock, add_tenant, signed_for):
    await knows_anna(client, OPT_IN)
    permit = await given(client)
    head, body, signature = permit.split(".")

    assert await why(client, permit, audience="gateway") == "audience"
    assert await why(signed_for("relay"), permit, audience=None) is None, "who asks is the audience"
    assert await why(client, permit, message="m-2") == "message"
    assert await why(client_of(tenant=add_tenant()), permit) == "invalid", "another tenant's"
    assert await why(client, f"{head}.{body}.{signature[::-1]}") == "invalid"
    assert await why(client, "no permit") == "invalid"
    clock.advance(timedelta(minutes=15))
    assert await why(client, permit) == "expired"


OPT_OUT = {"ts": "2026-11-21T09:00:00Z", "channel": "email", "purpose": "marketing", "action": "opt_out"}


async def opts_out(client: httpx.AsyncClient) -> None:
    await has(client, "anna", OPT_OUT | {"method": "unsubscribe_link"})


async def objects(client: httpx.AsyncClient) -> None:
    await has(client, "anna", OPT_OUT | {"action": "object", "channel": "any", "purpose": "any"})


async def restricts(client: httpx.AsyncClient) -> None:
    await has(client, "anna", OPT_OUT | {"action": "restrict", "channel": "any", "purpose": "any"})


async def asks_to_be_forgotten(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/requests", json={"id": str(uuid4()), "subject": "anna", "right": "erasure"})
    assert answer.status_code == 201, answer.text


async def is_a_child(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/subjects/anna", json=FACTS | {"age": 12})).status_code == 200


async def is_merged(client: httpx.AsyncClient) -> None:
    await client.put("/v1/subjects/zoe", json=FACTS)
    await has(client, "zoe", OPT_OUT)
    answer = await client.post("/v1/subjects/anna/merge", json={"with": "zoe", "same": True})
    assert answer.status_code == 200, answer.text


async def forbids(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/policy/overlay", json={"denied": [{"channel": "email"}]})).status_code == 200


@pytest.mark.parametrize(
    "act",
    [opts_out, objects, restricts, asks_to_be_forgotten, is_a_child, is_merged, forbids],
    ids=lambda act: act.__name__,
)
async def test_a_permit_ends_with_what_it_rests_on(client, offline, clock, act, seated):
    clock.now = datetime.now(UTC)
    await knows_anna(client, OPT_IN)
    await client.put("/v1/subjects/bert", json=FACTS)
    await has(client, "bert", OPT_IN)
    permit, others = await given(client), await given(client, subject="bert")
    assert (await offline(permit))["aud"] == "relay"

    await act(client)

    assert await why(client, permit) == "withdrawn"
    assert await why(client, permit, burn=True) == "withdrawn"
    with pytest.raises(jwt.InvalidTokenError, match="withdrawn"):
        await offline(permit)
    assert await why(client, others) == ("withdrawn" if act is forbids else None)


async def test_the_list_names_whoever_changed_and_is_over_soon(client, clock, sender, tenant):
    clock.now = datetime.now(UTC) - timedelta(seconds=31)
    await knows_anna(client, OPT_IN)
    permit = await given(client)
    before = claims(await listed(client))
    await opts_out(client)
    after = await listed(client)

    assert before["revoked"] == ""
    jti = claims(permit)["jti"]
    assert base64.urlsafe_b64decode(claims(after)["revoked"] + "==") == hashlib.sha256(jti.encode()).digest()[:4]
    told = (await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})).json()
    with pytest.raises(jwt.ExpiredSignatureError):
        sender["permitted"](permit, after, sender["keys_of"](told), told["origin"], "relay", **SENT)
    clock.advance(timedelta(minutes=15, seconds=50))
    assert claims(await listed(client))["revoked"] != "", "for whoever has a slow clock"
    clock.advance(timedelta(seconds=20))
    assert claims(await listed(client))["revoked"] == "", "it is over by itself"


async def test_a_list_is_fetched_once_by_those_who_share_it(client, clock):
    first = await client.get("/v1/permits/revoked")
    tag = first.headers["etag"]
    clock.advance(timedelta(seconds=1))
    same = await client.get("/v1/permits/revoked", headers={"if-none-match": tag})
    clock.advance(timedelta(seconds=1))
    later = await client.get("/v1/permits/revoked", headers={"if-none-match": tag})

    assert first.headers["cache-control"] == "private, max-age=2"
    assert (same.status_code, same.content, later.status_code) == (304, b"", 200)


async def test_a_permit_is_used_up_once_however_many_try(client):
    await knows_anna(client, OPT_IN)
    permit = await given(client)
    answers = await asyncio.gather(*(verify(client, permit, burn=True) for _ in range(8)))

    assert sorted(str(answer["why"]) for answer in answers) == ["None", *["burned"] * 7]
    assert [answer["burned"] for answer in answers].count(True) == 1
    assert await why(client, permit) == "burned"
    entries = (await client.get("/v1/audit/entries", params={"limit": 100})).json()["entries"]
    told = [(entry["event"], entry["object_id"]) for entry in entries if entry["event"].startswith("permit.")]
    assert told == [("permit.issued", claims(permit)["jti"]), ("permit.burned", claims(permit)["jti"])]


async def test_a_permit_outlives_its_key_and_later_the_key_is_taken_no_more(settings, database, clock, client, offline):
    clock.now = datetime.now(UTC)
    await knows_anna(client, OPT_IN)
    old = await given(client)
    urls = database.urls
    by_operator = {"database_url": urls.app, "owner_database_url": urls.owner, "worker_database_url": urls.worker}
    await auditing.rotate_receipts(msgspec.structs.replace(settings, **by_operator))
    async with app.running(settings, database.urls, Telemetry(clock, level="error"), clock=clock) as restarted:
        transport = httpx.ASGITransport(restarted)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://volens.example", headers=client.headers
        ) as later:
            new = await given(later)
            kids = [jwt.get_unverified_header(permit)["kid"] for permit in (old, new)]
            assert kids[0] != kids[1]
            assert (await why(later, old), await why(later, new)) == (None, None)
            assert await why(client, new) is None, "also where the old key still signs"
            assert (await offline(old))["aud"] == (await offline(new))["aud"] == "relay"
            assert claims(await listed(later))["kids"] == sorted(kids)
            clock.advance(timedelta(minutes=17))
            assert claims(await listed(later))["kids"] == [kids[1]]


def test_a_sender_finds_every_key(sender):
    ours = [Signing(seed) for seed in range(40)]
    said = [
        {"verifier_key": verifier_key(each.signer.key), "public": base64.b64encode(each.public).decode()}
        for each in ours
    ]

    assert sender["keys_of"]({"origin": ISSUER, "keys": said}).keys() == {each.kid for each in ours}


def test_a_key_of_former_times_signs_nothing_that_a_sender_takes(sender):
    ours, stolen = Signing(), Signing(2)
    now = int(datetime.now(UTC).timestamp())
    about = {"iss": ISSUER, "iat": now, "exp": now + 20}
    ended = about | {"kids": [ours.kid], "bytes": 4, "revoked": ""}
    revoked = jws("contact-permit-revocations+jwt", ended, ours.signer)
    keys = {each.kid: Ed25519PublicKey.from_public_bytes(each.public) for each in (ours, stolen)}

    good, forged = (each.signed(**about, message="m-1") for each in (ours, stolen))
    assert sender["permitted"](good, revoked, keys, ISSUER, "relay", **SENT)
    with pytest.raises(jwt.InvalidKeyError):
        sender["permitted"](forged, revoked, keys, ISSUER, "relay", **SENT)


async def test_what_is_not_in_the_database_is_not_good(client, database):
    await knows_anna(client, OPT_IN)
    permit = await given(client)
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute("DELETE FROM permit WHERE jti = %s", (claims(permit)["jti"],))

    assert await why(client, permit) == "unknown"


async def test_permits_that_are_over_are_removed_and_no_others(client, database, clock):
    await knows_anna(client, OPT_IN)
    clock.now = datetime.now(UTC) - timedelta(minutes=80)
    over = claims(await given(client))["jti"]
    clock.now = datetime.now(UTC)
    good = claims(await given(client))["jti"]

    await retention.expire_permits_by_itself(database.urls.worker)

    with psycopg.connect(database.urls.owner) as connection:
        kept = {str(jti) for (jti,) in connection.execute("SELECT jti FROM permit")}
    assert good in kept
    assert over not in kept


async def test_nothing_of_a_permit_but_its_row_is_kept(client, database):
    await knows_anna(client, OPT_IN)
    await given(client, permit={"audience": "relay-of-secrets", "message": f"m-{uuid4()}"})
    with psycopg.connect(database.urls.owner) as connection:
        columns = [column.name for column in (connection.execute("SELECT * FROM permit LIMIT 1").description or ())]
        (rows,) = connection.execute("SELECT json_agg(permit)::text FROM permit").fetchone() or ("",)

    assert columns == ["tenant", "jti", "handle", "decision", "stamp", "kid", "issued_at", "expires_at", "burned_at"]
    assert "relay-of-secrets" not in json.dumps(rows)


async def test_no_permit_outlives_a_withdrawal_of_the_same_moment(client):
    async def until_no(subject: str, permits: list[str], first: asyncio.Event) -> None:
        while (decision := await ask(client, subject=subject, permit=WISH))["permit"] is not None:
            permits.append(decision["permit"])
            first.set()

    for turn in range(6):
        subject, permits, first = f"s-{turn}", list[str](), asyncio.Event()
        await client.put(f"/v1/subjects/{subject}", json=FACTS)
        await has(client, subject, OPT_IN)
        asking = [asyncio.create_task(until_no(subject, permits, first)) for _ in range(3)]
        await first.wait()
        await has(client, subject, OPT_OUT | {"method": "unsubscribe_link"})
        await asyncio.gather(*asking)

        assert {await why(client, permit) for permit in permits} == {"withdrawn"}
        hashes = base64.urlsafe_b64decode(claims(await listed(client))["revoked"] + "==")
        ended = {hashes[place : place + 4] for place in range(0, len(hashes), 4)}
        assert {hashlib.sha256(claims(permit)["jti"].encode()).digest()[:4] for permit in permits} <= ended
