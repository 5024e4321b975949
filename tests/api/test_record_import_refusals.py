"""A file opens no door: who refused, or was erased, is not brought back by what it says."""

import json
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from service.consent import importing
from tests.api.test_record_import import CONSENT, asked, known, line, sent


@pytest.mark.parametrize("action", ["opt_out", "object", "complaint"])
async def test_who_refused_is_not_brought_back_by_a_file_however_well_it_proves_it(client, clock, action):
    await known(client, "ann")
    said = {**CONSENT, "id": str(uuid4()), "subject": "ann", "ts": clock().isoformat(), "action": action}
    assert (await client.post("/v1/records", json={"records": [said]})).status_code == 201
    clock.advance(timedelta(days=2))
    later = (clock() - timedelta(hours=1)).isoformat()

    told, summary = await sent(
        client,
        line("ann", ts=later),
        line("ann", id=str(uuid4()), ts=later, channel="any"),
        line("ann", ts=later, channel="sms"),
        line("ann"),
    )

    assert [(each["outcome"], each.get("code")) for each in told] == [
        ("refused", "refusal_stands"),
        ("refused", "refusal_stands"),
        ("refused", "refusal_stands"),
        ("stored", None),
    ]
    assert summary["shut"] == 3
    assert await asked(client, "ann") == "deny"

    own = {**CONSENT, "id": str(uuid4()), "subject": "ann", "ts": clock().isoformat()}
    assert (await client.post("/v1/records", json={"records": [own]})).status_code == 201
    assert await asked(client, "ann") == "permit"


@pytest.mark.parametrize(
    ("residence", "question", "refusal", "answer"),
    [
        pytest.param(
            "FR",
            {},
            {"action": "restrict", "channel": "post"},
            {"action": "unrestrict", "channel": "email"},
            id="a restriction",
        ),
        pytest.param(
            "US-VA",
            {"channel": "web", "purpose": "sale_share"},
            {"action": "opt_out_sale", "channel": "web", "purpose": "sale_share"},
            {"action": "opt_in_sale", "channel": "ads", "purpose": "sale_share"},
            id="an opt-out of sale",
        ),
        pytest.param(
            "FR",
            {"channel": "web", "purpose": "profiling"},
            {"action": "opt_out", "channel": "email", "purpose": "profiling"},
            {"action": "opt_in", "channel": "web", "purpose": "profiling"},
            id="an opt-out of profiling",
        ),
        pytest.param(
            "FR",
            {"channel": "in_app"},
            {"action": "opt_out", "channel": "email", "scope": "global"},
            {"action": "opt_in", "channel": "in_app"},
            id="a refusal of everything",
        ),
    ],
)
async def test_a_refusal_that_holds_beyond_its_channel_is_not_answered_by_a_file_on_another(
    client, clock, residence, question, refusal, answer
):
    await client.put("/v1/subjects/ann", json={"residence": residence, "age": 40})
    before = {**CONSENT, "subject": "ann", "id": str(uuid4()), "ts": (clock() - timedelta(days=9)).isoformat()}
    said = {**CONSENT, "subject": "ann", "id": str(uuid4()), "ts": (clock() - timedelta(days=3)).isoformat()}
    stated = [before, said | refusal]
    assert (await client.post("/v1/records", json={"records": stated})).status_code == 201

    told, _ = await sent(client, line("ann", ts=(clock() - timedelta(days=1)).isoformat(), **answer))

    assert [each.get("code") for each in told] == ["refusal_stands"]
    assert await asked(client, "ann", **question) == "deny"


async def test_a_signal_is_not_answered_by_a_file(client, clock):
    first = {"gpc": True, "gpc_first_seen": (clock() - timedelta(days=5)).isoformat()}
    await client.put("/v1/subjects/ann", json={"residence": "US-CO", "age": 40, "signals": first})
    yes = {"action": "opt_in_sale", "channel": "web", "purpose": "sale_share"}

    told, _ = await sent(
        client,
        line("ann", **yes, ts=(clock() - timedelta(days=6)).isoformat()),
        line("ann", **yes, ts=(clock() - timedelta(days=1)).isoformat()),
    )

    assert [each.get("code") for each in told] == [None, "refusal_stands"]
    assert await asked(client, "ann", channel="web", purpose="sale_share") == "deny"


async def test_who_refused_is_not_brought_back_where_their_state_is_damaged(client, clock, database, tenant):
    await sent(client, line("ann", action="opt_out"))
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE consent_state SET state = 'x' WHERE tenant = %s", (tenant,))

    told, _ = await sent(client, line("ann", ts=(clock() - timedelta(days=1)).isoformat()))

    assert [each.get("code") for each in told] == ["refusal_stands"]


@pytest.mark.parametrize("flag", ["restricted", "suppressed"])
async def test_what_the_service_knows_of_somebody_is_not_answered_by_a_file(client, clock, database, tenant, flag):
    await known(client, "ann")
    flags = json.dumps({flag: True, f"{flag}_at": (clock() - timedelta(days=5)).isoformat()}).encode()
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE subject SET flags = %s WHERE tenant = %s", (flags, tenant))

    told, _ = await sent(
        client, *(line("ann", ts=(clock() - timedelta(days=days)).isoformat(), brand=f"b{days}") for days in (6, 1))
    )

    assert [each.get("code") for each in told] == [None, "refusal_stands"]


async def test_a_line_that_repeats_what_was_left_out_is_not_known(client, clock):
    await sent(client, line("ann", action="opt_out"))
    later = line("ann", id=str(uuid4()), ts=(clock() - timedelta(days=1)).isoformat())

    told, summary = await sent(client, later, later)

    assert [(each["outcome"], each["code"]) for each in told] == [("refused", "refusal_stands")] * 2
    assert (summary["shut"], summary["known"]) == (2, 0)


async def test_what_a_file_says_in_its_own_order_stands_whatever_the_pieces(client, clock, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 2)
    await known(client, "ann", "bob")
    clock.advance(timedelta(days=1))
    times = [(clock() - timedelta(hours=left)).isoformat() for left in (9, 8)]

    told, _ = await sent(
        client,
        line("ann", action="opt_out", ts=times[0]),
        line("x1"),
        line("x2"),
        line("ann", ts=times[1]),
        line("bob", ts=times[0]),
        line("x3"),
        line("bob", action="opt_out", ts=times[1]),
    )

    assert {each["outcome"] for each in told} == {"stored"}
    assert [await asked(client, each) for each in ("ann", "bob")] == ["permit", "deny"]


async def test_who_refuses_while_an_import_runs_has_refused(client, clock, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 2)
    await known(client, "ann")
    import_id = str(uuid4())
    some = [line("ann", ts="2026-11-01T10:00:00Z"), line("x1")]
    await sent(client, *some, **{"import": import_id})
    refusal = {**CONSENT, "id": str(uuid4()), "subject": "ann", "ts": clock().isoformat(), "action": "opt_out"}
    assert (await client.post("/v1/records", json={"records": [refusal]})).status_code == 201
    clock.advance(timedelta(minutes=10))
    later = (clock() - timedelta(minutes=2)).isoformat()

    told, _ = await sent(client, *some, line("ann", ts=later), **{"import": import_id})

    assert [each.get("code") for each in told] == ["refusal_stands"]
    assert await asked(client, "ann") == "deny"


@pytest.mark.parametrize("hidden", [False, True], ids=["known", "hidden"])
async def test_an_erased_person_is_not_brought_back_by_a_file(
    client, clock, seated, erase, put, database, tenant, hidden
):
    """Also where the id itself went with them, and the file seems to bring somebody new."""
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute("UPDATE tenant SET hides_erased = %s WHERE id = %s", (hidden, tenant))
    await known(client, "ann")
    await put("ann", {"email": "ann@mail.example"})
    await sent(client, line("ann"))
    request = str(uuid4())
    body = {"id": request, "subject": "ann", "right": "erasure", "place": "DE-BE", "time_zone": "Europe/Berlin"}
    version = (await client.post("/v1/requests", json=body)).json()["version"]
    for move in ({"verify": {"reason": "staff_decision"}}, {"execute": {}}):
        [(name, said)] = move.items()
        answer = await client.post(f"/v1/requests/{request}/{name}", json={"version": version, **said})
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
    await erase()
    clock.advance(timedelta(days=3))
    later = (clock() - timedelta(hours=1)).isoformat()

    told, _ = await sent(client, line("ann"), line("ann", ts=later), line("ann", ts=later, action="purchase"))

    assert [each.get("code") for each in told] == ["content_expired", "refusal_stands", "refusal_stands"]
    assert await asked(client, "ann") == "deny"
    found = await client.post("/v1/vault/lookup", json={"field": "email", "value": "ann@mail.example"})
    assert found.json()["subjects"] == []
