"""Records come in bulk: each line has its outcome, and an import that broke off goes on where it was."""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import psycopg

from service.consent import importing
from tests.api.test_import import receiving

NDJSON = {"content-type": "application/x-ndjson"}
CONSENT = {
    "ts": "2026-11-01T10:00:00Z",
    "channel": "email",
    "purpose": "marketing",
    "action": "opt_in",
    "method": "double_opt_in",
    "evidence": "form+ip+wording+confirm_click",
    "notice_version": "v3",
}


def line(subject, **changes):
    said = {"subject": subject, **CONSENT, **changes}
    return json.dumps({name: value for name, value in said.items() if value is not ...})


async def sent(client, *lines, headers=NDJSON, **query):
    answer = await client.post("/v1/records/import", content="\n".join(lines), headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    *told, summary = [json.loads(each) for each in answer.text.splitlines()]
    return told, summary


async def asked(client, subject, **changes):
    question = {"subject": subject, "channel": "email", "purpose": "marketing", **changes}
    answer = await client.post("/v1/decisions", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()["decision"]


async def known(client, *subjects):
    for subject in subjects:
        await client.put(f"/v1/subjects/{subject}", json={"residence": "FR", "age": 40})


async def history(client, subject):
    return (await client.get(f"/v1/subjects/{subject}/records")).json()["records"]


async def test_each_line_has_its_outcome_in_order(client):
    mine = str(uuid4())
    told, summary = await sent(
        client,
        line("a", id=mine),
        "",
        line("a", id=mine),
        line("b", id=mine),
        "{lovelace",
        line("lovelace@mail.example"),
        line("c", purpose="x-lovelace"),
        line("c", ts="2027-01-01T00:00:00Z"),
        line("c", ts=...),
        line("c", action="opt_out", ts="2027-01-01T00:00:00Z"),
        line("d", action="opt_out", ts=..., method=..., evidence=...),
        line("e", lovelace=1),
    )

    assert [(each["line"], each["outcome"], each.get("code")) for each in told] == [
        (1, "stored", None),
        (2, "blank", None),
        (3, "known", None),
        (4, "refused", "record_id_reused"),
        (5, "refused", "line_refused"),
        (6, "refused", "line_refused"),
        (7, "refused", "unknown_purpose"),
        (8, "refused", "record_from_the_future"),
        (9, "refused", "line_refused"),
        (10, "stored", None),
        (11, "stored", None),
        (12, "refused", "line_refused"),
    ]
    assert "lovelace" not in json.dumps([told[5], told[6]])
    assert {name: summary[name] for name in ("lines", "skipped", "stored", "known", "refused", "records")} == {
        "lines": 12, "skipped": 0, "stored": 3, "known": 1, "refused": 7, "records": 3,
    }  # fmt: skip
    assert [record["id"] for record in await history(client, "a")] == [mine]


async def test_what_a_file_does_not_prove_is_stored_as_claimed_and_permits_nothing(client):
    await known(client, "proved", "claimed", "said")

    await sent(client, line("proved"), line("claimed", method=..., evidence=...), line("said", method=...))

    assert [await asked(client, each) for each in ("proved", "claimed", "said")] == ["permit", "deny", "permit"]
    [claimed] = await history(client, "claimed")
    assert (claimed["method"], claimed["evidence"]) == ("crm_import", None)


async def test_the_same_file_under_another_id_adds_nothing(client, clock):
    lines = [line(f"s{number}") for number in range(30)] + [line("s1", action="opt_out", ts=...)]
    _, first = await sent(client, *lines)
    clock.advance(timedelta(days=1))

    told, again = await sent(client, *lines)

    assert (first["records"], again["records"], again["known"]) == (31, 0, 31)
    assert {each["outcome"] for each in told} == {"known"}
    assert len(await history(client, "s1")) == 2


async def test_the_id_of_a_record_without_one_tells_nothing_to_whom_the_tenants_key_is_not(client, client_of, seat):
    await sent(client, line("ann"))

    [record] = await history(client, "ann")

    assert record["id"][14] == "8"
    assert json.dumps(CONSENT["ts"]) not in record["id"]


async def test_a_dry_run_tells_the_same_and_keeps_nothing(client, database, tenant):
    lines = [line("a"), line("a"), line("b", ts=...), ""]

    tried, counted = await sent(client, *lines, dry_run="true")
    with psycopg.connect(database.urls.admin) as connection:
        for table in ("record", "subject", "record_chunk", "record_import", "consent_state"):
            query = f"SELECT count(*) FROM {table} WHERE tenant = %s"
            assert connection.execute(query, (tenant,)).fetchone() == (0,), table
    told, summary = await sent(client, *lines)

    assert tried == told
    assert counted == {**summary, "dry_run": True, "import": counted["import"]}


async def test_an_import_that_was_sent_before_goes_on_and_other_lines_are_refused(client, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 10)
    import_id = str(uuid4())
    some = [line(f"s{number}") for number in range(25)]

    await sent(client, *some, **{"import": import_id})
    told, summary = await sent(client, *some, line("s25"), **{"import": import_id})
    other = await client.post(
        "/v1/records/import", content="\n".join(reversed(some)), headers=NDJSON, params={"import": import_id}
    )
    another_way = await client.post(
        "/v1/records/import",
        content="\n".join(some),
        headers=NDJSON,
        params={"import": import_id, "mapping": "volens"},
    )

    assert ([each["line"] for each in told], summary["skipped"], summary["stored"]) == ([26], 25, 1)
    for answer in (other, another_way):
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "import_differs")


async def test_two_who_send_the_same_import_at_once_store_each_line_once(client, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 20)
    import_id = str(uuid4())
    body = "\n".join(line(f"s{number}") for number in range(200))

    async def send():
        answer = await client.post("/v1/records/import", content=body, headers=NDJSON, params={"import": import_id})
        return [json.loads(each) for each in answer.text.splitlines()]

    answers = await asyncio.gather(send(), send())

    stored = [each["line"] for answer in answers for each in answer if each["outcome"] == "stored"]
    assert len(stored) == len(set(stored))
    assert {answer[-1]["outcome"] for answer in answers} <= {"done", "cut_off"}
    _, summary = await sent(client, *body.split("\n"), **{"import": import_id})
    assert len(stored) + summary["stored"] == 200
    for number in (0, 99, 199):
        assert len(await history(client, f"s{number}")) == 1


async def test_two_files_with_the_same_people_at_once_lose_nothing(client):
    files = [[line(f"s{number}", channel=channel) for number in range(60)] for channel in ("email", "sms", "push")]

    answers = await asyncio.gather(*(sent(client, *lines) for lines in files))

    assert [summary["records"] for _, summary in answers] == [60, 60, 60]
    for number in (0, 30, 59):
        assert len((await client.get(f"/v1/subjects/s{number}")).json()["state"]) == 3


async def test_a_client_that_goes_away_leaves_what_was_stored_and_can_go_on(site, client, monkeypatch):
    monkeypatch.setattr(importing, "LINES", 100)
    import_id = str(uuid4())
    lines = [line(f"s{number}") for number in range(400)]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/records/import",
        "raw_path": b"/v1/records/import",
        "query_string": f"import={import_id}".encode(),
        "root_path": "",
        "http_version": "1.1",
        "headers": [
            (b"content-type", b"application/x-ndjson"),
            (b"authorization", client.headers["authorization"].encode()),
        ],
    }
    answered = []

    async def send(message):
        answered.append(message)

    await site(scope, receiving(*(f"{each}\n".encode() for each in lines[:350])), send)

    assert answered[-1]["more_body"] is True
    _, summary = await sent(client, *lines, **{"import": import_id})
    assert (summary["skipped"] + summary["stored"], summary["known"], summary["refused"]) == (400, 0, 0)
    assert summary["skipped"] in {100, 200, 300}


async def test_a_record_of_somebody_who_was_merged_is_known_under_either_name(client):
    await known(client, "ann", "bob")
    said = line("bob", id=str(uuid4()))
    await sent(client, said)
    merged = await client.post("/v1/subjects/ann/merge", json={"with": "bob", "same": True})
    assert merged.status_code == 200, merged.text

    told, _ = await sent(client, said, said.replace("bob", "ann"), said.replace("bob", "cem"))

    assert [(each["outcome"], each.get("code")) for each in told] == [
        ("known", None),
        ("known", None),
        ("refused", "record_id_reused"),
    ]
