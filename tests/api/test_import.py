"""Imports are streams: each line has its outcome, and one that broke off goes on where it was."""

import asyncio
import json
from uuid import uuid4

import psycopg
import pytest

NDJSON = {"content-type": "application/x-ndjson"}


def line(number, **changes):
    return json.dumps({"subject": f"s{number}", "field": "email", "value": f"s{number}@mail.example"} | changes)


async def sent(client, body, **query):
    answer = await client.post("/v1/vault/import", content=body, headers=NDJSON, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return [json.loads(each) for each in answer.text.splitlines()]


async def test_each_line_has_its_outcome_in_order(client):
    body = "\n".join(
        [
            line(1),
            "",
            line(2, value="lovelace"),
            "{lovelace",
            line(3, field="shoe_size"),
            line(4, lovelace=1),
            line("@lovelace"),
            line(1),
            line(5, value="s1@mail.example"),
        ]
    )

    *told, summary = await sent(client, body)

    assert [(each["line"], each["outcome"], each.get("code") or each.get("version")) for each in told] == [
        (1, "stored", 1),
        (2, "blank", None),
        (3, "refused", "value_refused"),
        (4, "refused", "line_refused"),
        (5, "refused", "unknown_field"),
        (6, "refused", "line_refused"),
        (7, "refused", "line_refused"),
        (8, "stored", 2),
        (9, "stored", 1),
    ]
    assert "lovelace" not in json.dumps([told[2], told[3], told[4], told[6]])
    assert not [line for line in told if "shared_with" in line], "an import is no lookup"
    assert {name: summary[name] for name in ("outcome", "lines", "skipped", "stored", "refused")} == {
        "outcome": "done",
        "lines": 9,
        "skipped": 0,
        "stored": 3,
        "refused": 5,
    }
    assert (await client.get("/v1/vault/s1")).json()["values"][0]["version"] == 2
    found = await client.post("/v1/vault/lookup", json={"field": "email", "value": "s1@mail.example"})
    assert found.json()["subjects"] == ["s1", "s5"]


async def test_an_import_that_was_sent_before_stores_nothing_twice(client):
    import_id = str(uuid4())
    some = "\n".join(line(number) for number in range(700))
    more = some + "\n" + "\n".join(line(number) for number in range(700, 1300)) + "\n"

    first = await sent(client, some, **{"import": import_id})
    *told, summary = await sent(client, more, **{"import": import_id})
    again = await sent(client, more, **{"import": import_id})

    assert len(first) == 701
    assert [each["line"] for each in told] == list(range(701, 1301))
    assert all(each["version"] == 1 for each in told)
    assert (summary["import"], summary["skipped"], summary["stored"]) == (import_id, 700, 600)
    assert [(each["skipped"], each["stored"]) for each in again] == [(1300, 0)]


async def test_another_file_under_a_used_id_is_refused_as_a_whole(client, database, tenant):
    import_id = str(uuid4())
    lines = [line(number) for number in range(700)]
    await sent(client, "\n".join(lines), **{"import": import_id})
    others = {
        "another file": [line(number) for number in range(1000, 1701)],
        "the same beginning": [*lines[:699], line(2000), line(2001)],
        "fewer lines": lines[:600],
        "another order": [*lines[1:], lines[0], line(2001)],
        "two lines in one": [lines[0] + lines[1], *lines[2:], line(2001)],
    }
    for what, other in others.items():
        answer = await client.post(
            "/v1/vault/import", content="\n".join(other), headers=NDJSON, params={"import": import_id}
        )
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "import_differs"), what
        assert answer.json()["errors"][0]["parameter"] == "import"
    assert (await client.get("/v1/subjects/s2001")).status_code == 404
    *_, summary = await sent(client, "\r\n".join([*lines, line(2001)]), **{"import": import_id})
    assert (summary["skipped"], summary["stored"]) == (700, 1)
    with psycopg.connect(database.urls.owner) as connection:
        [(seen,)] = connection.execute("SELECT seen FROM vault_import WHERE tenant = %s", (tenant,)).fetchall()
    assert len(seen) == 32


async def test_two_who_send_the_same_import_at_once_store_each_line_once(client):
    import_id = str(uuid4())
    body = "\n".join(line(number) for number in range(1200))

    answers = await asyncio.gather(*(sent(client, body, **{"import": import_id}) for _ in range(2)))

    stored = [each["line"] for answer in answers for each in answer if each["outcome"] == "stored"]
    assert sorted(stored) == list(range(1, 1201))
    assert {answer[-1]["outcome"] for answer in answers} <= {"done", "cut_off"}


async def test_a_client_that_goes_away_leaves_what_was_stored_and_can_go_on(site, client):
    import_id = str(uuid4())
    pieces = [f"{line(number)}\n".encode() for number in range(900)]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/vault/import",
        "raw_path": b"/v1/vault/import",
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

    await site(scope, receiving(*pieces[:800]), send)

    assert answered[-1]["more_body"] is True
    *told, summary = await sent(client, b"".join(pieces), **{"import": import_id})
    assert (summary["skipped"], summary["stored"]) == (500, 400)
    assert all(each["version"] == 1 for each in told)


async def test_only_the_refused_lines_are_told_if_that_is_asked_for(client):
    told = await sent(client, line(1) + "\n" + line(2, value="?"), refused_only="true")

    assert [each["outcome"] for each in told] == ["refused", "done"]


@pytest.mark.parametrize(
    ("what", "sent_line"),
    [
        ("two subjects", '{"subject":"d1","subject":"d2","field":"name","value":"a"}'),
        ("two fields", '{"subject":"d1","field":"email","field":"name","value":"a"}'),
        ("two values", '{"subject":"d1","field":"name","value":1,"value":"a"}'),
        ("spelled otherwise", '{"subject":"d1","field":"name","value":2 , "v\\u0061lue" : "a"}'),
        ("within", '{"subject":"d1","field":"document","value":{"media_type":"a/b","media_type":"c/d","content":""}}'),
        ("a NUL", '{"subject":"d1","field":"name","value":"a\\u0000b"}'),
        ("a NUL after a backslash", '{"subject":"d1","field":"name","value":"a\\\\\\u0000b"}'),
    ],
    ids=lambda each: each if each[0] != "{" else "",
)
async def test_a_line_is_read_as_literally_as_a_body(client, what, sent_line):
    told, _ = await sent(client, sent_line)

    assert (told["outcome"], told["code"]) == ("refused", "line_refused")
    assert ("U+0000" if "NUL" in what else "given twice") in told["detail"]


@pytest.mark.parametrize(
    "value", ["a\\u0000b", "12:30", 'say: "subject":', '"', {"country": "DE", "lines": ["c/o: x"], "locality": "Ulm"}]
)
async def test_what_only_looks_suspicious_is_stored(client, value):
    field = "free_text" if isinstance(value, str) else "postal_address"
    told, _ = await sent(client, json.dumps({"subject": "a:b", "field": field, "value": value}))

    assert told["outcome"] == "stored"


async def test_an_import_of_nothing_is_done(client):
    assert [each["lines"] for each in await sent(client, "")] == [0]


async def test_a_piece_of_an_import_is_one_audit_entry(client):
    await sent(client, "\n".join(line(number) for number in range(501)))

    entries = (await client.get("/v1/audit/entries?event=vault.imported")).json()["entries"]
    assert [entry["object_id"].rpartition("/")[2] for entry in entries] == ["500", "501"]


async def test_what_is_no_ndjson_is_refused(client):
    answer = await client.post("/v1/vault/import", json={})

    assert (answer.status_code, answer.headers["accept"]) == (415, "application/x-ndjson")


async def test_a_lost_ring_ends_an_import_with_a_line_that_says_so(client, root_keys):
    root_keys.chmod(0o644)
    try:
        told = await sent(client, line(1))
    finally:
        root_keys.chmod(0o600)

    assert [(each["outcome"], each["code"]) for each in told] == [("cut_off", "unavailable")]


def receiving(*chunks):
    """Return what receives these parts of a body, and then that the client has gone."""
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    told = iter([*events, {"type": "http.disconnect"}])

    async def receive():
        return next(told)

    return receive
