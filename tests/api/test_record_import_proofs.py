"""One audit entry stands for many records that were imported, and proves each of them by itself."""

import base64
import json

import psycopg
import pytest

from service import given
from service.audit.notes import parse_keys
from service.audit.verifier import Verifier
from service.committed import ExamineCommitted
from service.consent import importing
from service.decisions.artefacts import read_policy
from service.standing import ExamineStanding
from tests.api.test_record_import import history, line, sent


@pytest.fixture(autouse=True)
def pieces(monkeypatch):
    monkeypatch.setattr(importing, "LINES", 7)


@pytest.fixture
async def judged(client, tenant):
    async def judge(text):
        answer = await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})
        verifier = Verifier(parse_keys("".join(f"{key['verifier_key']}\n" for key in answer.json()["keys"])))
        verifier.receipt(text, "receipt")
        return verifier.report

    return judge


async def receipt_of(client, subject):
    [record] = await history(client, subject)
    answer = await client.get(f"/v1/records/{record['id']}/receipt")
    return answer, record["id"]


async def test_a_piece_has_one_entry_and_one_event(client, database, tenant):
    await sent(client, *(line(f"s{number}") for number in range(20)))

    entries = (await client.get("/v1/audit/entries")).json()["entries"]
    with psycopg.connect(database.urls.admin) as connection:
        query = "SELECT type FROM outbox WHERE tenant = %s"
        events = [kind for (kind,) in connection.execute(query, (tenant,))]

    assert [entry["event"] for entry in entries] == ["record.imported"] * 3
    assert all(entry["commitment"] and entry["subject"] is None for entry in entries)
    assert events == ["record.imported"] * 3


async def test_every_imported_record_has_a_receipt_that_holds(client, sequence, judged):
    await sent(client, *(line(f"s{number}") for number in range(12)))
    waiting, _ = await receipt_of(client, "s0")
    await sequence()

    for number in range(12):
        answer, record = await receipt_of(client, f"s{number}")
        assert answer.status_code == 200, answer.text
        report = await judged(answer.text)
        assert report.findings == [], number
        assert record in report.proved[0]
    assert waiting.json()["type"].endswith("entry_waits")


@pytest.mark.parametrize("what", ["payload", "salt", "index", "path", "chunk"])
async def test_a_receipt_that_says_anything_else_of_its_place_does_not_hold(client, sequence, judged, what, settings):
    await sent(client, *(line(f"s{number}") for number in range(7)))
    await sequence()
    answer, _ = await receipt_of(client, "s3")
    whole = answer.json()
    _, claims, _ = whole["receipt"].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    place = said["imported"]
    other = {
        "payload": place["payload"].replace("opt_in", "opt_on"),
        "salt": "0" * 64,
        "index": place["index"] ^ 1,
        "path": place["path"][:-1],
        "chunk": said["jti"],
    }
    said["imported"] = place | {what: other[what]}
    from service.audit import receipted

    entry = base64.b64decode(next(each[6:] for each in whole["proof"].split("\n") if each.startswith("extra ")))
    with pytest.raises(receipted.Wrong):
        receipted._about(said, entry)
    said["imported"] = place
    assert receipted._about(said, entry) is said


async def test_the_log_accounts_for_what_was_imported_and_notices_what_was_changed(
    client, begin, database, tenant, sequence
):
    await sent(client, *(line(f"s{number}") for number in range(10)))
    await sequence()
    with psycopg.connect(database.urls.admin) as connection:
        (size,) = connection.execute("SELECT size FROM audit_head WHERE tenant = %s", (tenant,)).fetchone()

    async def found():
        committed = await ExamineCommitted(begin)(tenant, size)
        return committed, [
            *committed.findings,
            *await ExamineStanding(begin, read_policy(given.BUILD).vocabulary)(tenant),
        ]

    committed, findings = await found()
    assert (committed.shown, findings) == (size, [])

    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE record SET statement = convert_to(replace(convert_from(statement, 'UTF8'), 'v3', 'v4'), 'UTF8')"
            " WHERE tenant = %s AND id = (SELECT id FROM record WHERE tenant = %s LIMIT 1)",
            (tenant, tenant),
        )
    _, findings = await found()
    assert any("is not what the entry commits to" in each for each in findings)

    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM record_chunk WHERE tenant = %s", (tenant,))
    _, findings = await found()
    assert any("no entry tells of 10 of record" in each for each in findings)
