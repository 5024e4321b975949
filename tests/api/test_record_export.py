"""Everything that is recorded leaves as lines, goes on where it was cut off, and is the same in another Volens."""

import json
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from service.ahead import Turn
from service.consent import exporting, importing
from service.consent.import_api import shown
from service.kernel import Contended, TenantId
from tests.api.test_record_import import CONSENT, NDJSON, asked, line, sent
from tests.conftest import SCOPES


async def told(client, **query):
    answer = await client.get("/v1/records/export", params=query)
    assert answer.status_code == 200, answer.text
    return [json.loads(each) for each in answer.text.splitlines()]


@pytest.fixture
async def filled(client, clock):
    """People with facts and without, with records of several kinds and none."""
    for name, facts in (("ann", {"residence": "FR", "age": 40}), ("bob", {"residence": "US-CA", "is_customer": True})):
        await client.put(f"/v1/subjects/{name}", json=facts)
    clock.advance(timedelta(days=1))
    ended = {"purpose": "marketing", "expires_at": "2027-01-01T00:00:00+02:00", "channel": ["sms", "email"]}
    records = [
        {**CONSENT, "id": str(uuid4()), "subject": "ann"},
        {
            "id": str(uuid4()),
            "subject": "ann",
            "ts": "2026-11-20T08:00:00Z",
            "channel": "any",
            "action": "call_attempt",
        },
        {**CONSENT, "id": str(uuid4()), "subject": "bob", "action": "opt_out", "evidence": None, "channel": "any"},
        {**CONSENT, **ended, "id": str(uuid4()), "subject": "cem"},
        {
            "id": str(uuid4()),
            "subject": "cem",
            "ts": "2026-11-02T08:00:00Z",
            "channel": "email",
            "action": "opt_in_sale",
        },
    ]
    answer = await client.post("/v1/records", json={"records": records})
    assert answer.status_code == 201, answer.text
    await sent(client, *(line(f"s{number:02}") for number in range(20)))


@pytest.mark.usefixtures("filled")
async def test_everybody_is_told_with_facts_records_and_state(client):
    lines = await told(client)

    assert [each["kind"] for each in lines[:6]] == ["subject", "record", "record", "state", "subject", "record"]
    assert lines[0] == {"kind": "subject", "subject": "ann", "facts": lines[0]["facts"], "flags": {}}
    assert lines[0]["facts"]["residence"] == "FR"
    assert "facts" not in next(each for each in lines if each.get("subject") == "cem")
    assert lines[-1] == {"kind": "done", "subjects": 23, "records": 25}
    shown = (await client.get("/v1/subjects/ann")).json()
    assert next(each for each in lines if each["kind"] == "state")["state"] == shown["state"]


async def test_what_was_agreed_after_a_signal_is_taken_over_with_the_signal(client, client_of, database, clock):
    first = {"gpc": True, "gpc_first_seen": (clock() - timedelta(days=5)).isoformat()}
    await client.put("/v1/subjects/ann", json={"residence": "US-CO", "age": 40, "signals": first})
    yes = {"id": str(uuid4()), "subject": "ann", "action": "opt_in_sale", "channel": "web", "purpose": "sale_share"}
    own = {**CONSENT, **yes, "ts": (clock() - timedelta(days=1)).isoformat()}
    assert (await client.post("/v1/records", json={"records": [own]})).status_code == 201
    elsewhere = TenantId(f"t-{uuid4().hex[:12]}")
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute("INSERT INTO tenant (id, created_at) VALUES (%s, now())", (elsewhere,))
    other = client_of(tenant=elsewhere, scope=SCOPES)

    _, summary = await sent(other, *(json.dumps(each) for each in await told(client)), mapping="volens")

    assert (summary["shut"], summary["records"]) == (0, 1)


async def test_a_page_of_people_who_were_all_erased_meanwhile_ends_nothing():
    async def pages():
        yield []

    assert [json.loads(each) async for each in shown(pages())] == [{"kind": "done", "subjects": 0, "records": 0}]


@pytest.mark.usefixtures("filled")
async def test_an_export_goes_on_from_any_of_its_cursors_and_misses_nobody(client, monkeypatch):
    monkeypatch.setattr(exporting, "PEOPLE", 7)
    whole = await told(client)

    for place, each in enumerate(whole):
        if each["kind"] == "cursor":
            rest = await told(client, cursor=each["cursor"])
            assert rest[:-1] == whole[place + 1 : -1]
    assert sum(each["kind"] == "cursor" for each in whole) == 4


@pytest.mark.usefixtures("filled")
async def test_another_volens_takes_the_export_and_answers_alike(client, client_of, database):
    elsewhere = TenantId(f"t-{uuid4().hex[:12]}")
    with psycopg.connect(database.urls.owner) as connection:
        connection.execute("INSERT INTO tenant (id, created_at) VALUES (%s, now())", (elsewhere,))
    other = client_of(tenant=elsewhere, scope=SCOPES)
    exported = [json.dumps(each) for each in await told(client)]

    outcomes, summary = await sent(other, *exported, mapping="volens")
    _, again = await sent(other, *exported, mapping="volens")

    assert (summary["refused"], summary["records"], again["records"]) == (0, 25, 0)
    assert {each["outcome"] for each in outcomes} == {"stored", "nothing"}

    def same(lines):
        for each in lines:
            each.pop("received_at", None)
            each.get("facts", {}).pop("age_declared_at", None)
        return lines

    assert same(await told(other)) == same([json.loads(each) for each in exported])
    for name in ("ann", "bob", "cem"):
        assert await asked(other, name) == await asked(client, name)


async def test_lines_that_are_no_export_are_refused_one_by_one(client):
    outcomes, _ = await sent(
        client,
        '{"kind":"record","subject":"ann@mail.example"}',
        '{"kind":"lovelace"}',
        '{"kind":"subject","subject":"ann","facts":{"residence":"Lovelace"}}',
        '{"kind":"subject","subject":"ann","facts":{"residence":"XX-1"}}',
        "[]",
        mapping="volens",
    )

    assert [each["outcome"] for each in outcomes] == ["refused"] * 5
    assert "ovelace" not in json.dumps(outcomes)


async def test_reading_records_is_not_taking_all_of_them_and_facts_take_their_own_scope(client_of):
    assert (await client_of(scope="records:read").get("/v1/records/export")).status_code == 403
    assert (await client_of(scope="records:export").get("/v1/records/export")).status_code == 200
    only = client_of(scope="records:write")
    answer = await only.post("/v1/records/import", content=b"", headers=NDJSON, params={"mapping": "volens"})
    assert answer.status_code == 403


async def test_pieces_without_facts_do_not_hold_off_those_with(client, client_of, add_tenant, monkeypatch):
    """Few have facts, and records of one person lie in two pieces."""
    monkeypatch.setattr(importing, "LINES", 20)
    waited = []
    mine = Turn.mine

    async def counted(self, *, holding):
        try:
            await mine(self, holding=holding)
        except Contended:
            waited.append(holding)
            raise

    monkeypatch.setattr(Turn, "mine", counted)
    people = [f"s{number:02}" for number in range(24)]
    for subject in people[::6]:
        await client.put(f"/v1/subjects/{subject}", json={"residence": "FR", "age": 40})
    await sent(client, *(line(subject, notice_version=f"v{n}") for subject in people for n in range(7)))
    waited.clear()
    other = client_of(tenant=add_tenant())
    _, summary = await sent(other, *(json.dumps(each) for each in await told(client)), mapping="volens")

    assert summary["records"] == 7 * len(people)
    assert waited == []
