"""Two subjects with one address are nobody's to contact until it is settled who they are."""

from datetime import timedelta

import pytest

from service.decisions.artefacts import read_policy
from service.given import BUILD
from service.standing import ExamineStanding
from tests.builders import a_record_body

QUESTION = {"channel": "email", "purpose": "marketing"}
FACTS = {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"}
MAIL = {"value": "ann.ash@mail.example"}


@pytest.fixture
def agree(client, clock):
    async def put(*subjects: str) -> None:
        for subject in subjects:
            await client.put(f"/v1/subjects/{subject}", json=FACTS)
            agreed = {"subject": subject, "method": "double_opt_in", "ts": (clock() - timedelta(days=1)).isoformat()}
            assert (await client.post("/v1/records", json={"records": [a_record_body(**agreed)]})).status_code == 201

    return put


@pytest.fixture
def ask(client):
    async def one(subject: str) -> tuple[str, set[str]]:
        answer = (await client.post("/v1/decisions", json={"subject": subject} | QUESTION)).json()
        return answer["decision"], {reason["rule"] for reason in answer["reasons"]}

    return one


@pytest.fixture
def settle(client):
    async def send(subject: str, other: str, *, same: bool, **more):
        return await client.post(f"/v1/subjects/{subject}/merge", json={"with": other, "same": same, **more})

    return send


async def flags(client, subject: str) -> dict:
    return (await client.get(f"/v1/subjects/{subject}")).json()["flags"]


async def unresolved(client) -> list[dict]:
    return (await client.get("/v1/audit/entries?event=subject.unresolved")).json()["entries"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", MAIL["value"]), ("phone", "+4930123456"), ("national_id", "X 12 345"), ("email#work", MAIL["value"])],
)
async def test_both_who_share_an_address_are_denied_until_it_is_settled(client, agree, ask, settle, field, value):
    await agree("ann", "ben", "cem")
    path = field.replace("#", "%23")
    await client.put(f"/v1/vault/ann/{path}", json={"value": value})
    assert (await ask("ann"))[0] == "permit"
    shared = await client.put(f"/v1/vault/ben/{path}", json={"value": value})

    assert shared.json()["shared_with"] == 1
    for subject in ("ann", "ben"):
        decision, rules = await ask(subject)
        assert (decision, "ENG-ID-01" in rules) == ("deny", True)
        assert await flags(client, subject) == {"merge_unresolved": True}
    assert (await ask("cem"))[0] == "permit"
    assert len(await unresolved(client)) == 2

    assert (await settle("ann", "ben", same=False)).json()["flags"] == {}
    assert {(await ask(subject))[0] for subject in ("ann", "ben")} == {"permit"}


async def test_the_log_commits_to_a_doubt_and_to_its_end(client, agree, settle, begin, caller):
    await agree("ann", "ben")
    for subject in ("ann", "ben"):
        await client.put(f"/v1/vault/{subject}/email", json=MAIL)
    assert all(entry["commitment"] for entry in await unresolved(client))
    look = ExamineStanding(begin, read_policy(BUILD).vocabulary)
    assert await look(caller.tenant) == []

    await settle("ann", "ben", same=True)
    assert await look(caller.tenant) == []


@pytest.mark.parametrize("field", ["device_id", "name", "payment_ref"])
async def test_a_device_or_a_name_in_common_says_nothing(client, agree, ask, field):
    await agree("ann", "ben")
    for subject in ("ann", "ben"):
        await client.put(f"/v1/vault/{subject}/{field}", json={"value": "Ann Ash"})

    assert {(await ask(subject))[0] for subject in ("ann", "ben")} == {"permit"}


async def test_who_was_told_apart_is_not_marked_again_for_the_same_address(client, agree, ask, settle):
    await agree("ann", "ben")
    for subject in ("ann", "ben"):
        await client.put(f"/v1/vault/{subject}/email", json=MAIL)
    await settle("ben", "ann", same=False)
    for subject in ("ann", "ben"):
        await client.delete(f"/v1/vault/{subject}/email")
        await client.put(f"/v1/vault/{subject}/email", json=MAIL)
    assert await flags(client, "ann") == await flags(client, "ben") == {}

    for subject in ("ann", "ben"):
        await client.put(f"/v1/vault/{subject}/phone", json={"value": "+4930123456"})
    assert await flags(client, "ann") == await flags(client, "ben") == {"merge_unresolved": True}


async def test_who_is_in_another_pair_stays_marked(client, agree, settle):
    await agree("ann", "ben", "cem")
    for subject in ("ann", "ben", "cem"):
        await client.put(f"/v1/vault/{subject}/email", json=MAIL)
    await settle("ann", "ben", same=False)
    assert [await flags(client, subject) for subject in ("ann", "ben", "cem")] == [{"merge_unresolved": True}] * 3

    await settle("ann", "cem", same=False)
    assert [await flags(client, subject) for subject in ("ann", "ben", "cem")] == [
        {}, {"merge_unresolved": True}, {"merge_unresolved": True},
    ]  # fmt: skip
    assert (await settle("ben", "cem", same=True)).json()["flags"] == {}


async def test_an_import_marks_them_too(client, agree):
    await agree("ann", "ben")
    lines = "".join(f'{{"subject": "{who}", "field": "email", "value": "{MAIL["value"]}"}}\n' for who in ("ann", "ben"))
    answer = await client.post("/v1/vault/import", content=lines, headers={"content-type": "application/x-ndjson"})

    assert answer.status_code == 200, answer.text
    assert await flags(client, "ann") == await flags(client, "ben") == {"merge_unresolved": True}


async def test_one_person_goes_on_under_both_ids(client, agree, ask, settle):
    await agree("ann", "ben")
    for subject in ("ann", "ben"):
        await client.put(f"/v1/vault/{subject}/email", json=MAIL)
    merged = await settle("ann", "ben", same=True)

    assert merged.status_code == 200
    assert merged.json() == {
        "subject": "ann", "with": "ben", "same": True, "version": 1, "flags": {},
        "facts": FACTS | {"age_declared_at": "2026-11-21T09:00:00Z"},
    }  # fmt: skip
    assert (await settle("ann", "ben", same=True)).json() == merged.json()
    assert {(await ask(subject))[0] for subject in ("ann", "ben")} == {"permit"}
    shown = (await client.get("/v1/vault/ben")).json()["values"]
    assert [(value["field"], value["version"]) for value in shown] == [("email", 1)]
    again = await client.put("/v1/vault/ben/email", json=MAIL)
    assert (again.json()["version"], again.json()["shared_with"]) == (2, 0)

    refused = a_record_body(subject="ben", action="opt_out", method="unsubscribe_link", ts="2026-11-21T09:00:00Z")
    await client.post("/v1/records", json={"records": [refused]})
    assert {(await ask(subject))[0] for subject in ("ann", "ben")} == {"deny"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("ann", {"with": "ann", "same": True}, 409, "merge_with_itself"),
        ("ann", {"with": "eve", "same": True}, 404, "unknown_subject"),
        ("eve", {"with": "ann", "same": False}, 404, "unknown_subject"),
        ("ann", {"with": "ben", "same": "true"}, 400, "invalid_request"),
        ("ann", {"with": "ben@mail.example", "same": True}, 400, "invalid_request"),
        ("ann", {"with": "ben", "same": True, "facts": "both"}, 400, "invalid_request"),
        ("ann", {"with": "ben"}, 400, "invalid_request"),
        ("ann", {"with": "ben", "same": True}, 409, "merge_contradictory"),
    ],
)
async def test_what_can_not_be_merged_is_a_problem(client, path, body, status, code):
    await client.put("/v1/subjects/ann", json=FACTS)
    await client.put("/v1/subjects/ben", json=FACTS | {"residence": "FR"})
    answer = await client.post(f"/v1/subjects/{path}/merge", json=body)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, code)
    if code == "merge_contradictory":
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/residence"]


async def test_who_was_erased_is_gone(client, begin, tenant, clock, agree, settle):
    await agree("ann", "ben")
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(await tx.subjects.handle_of("ben"), clock())

    assert (await settle("ann", "ben", same=True)).status_code == 410


async def test_only_who_may_write_subjects_may_merge_them(client_of, agree):
    await agree("ann", "ben")
    reader = client_of(scope="records:write records:read vault:write")

    assert (await reader.post("/v1/subjects/ann/merge", json={"with": "ben", "same": True})).status_code == 403
