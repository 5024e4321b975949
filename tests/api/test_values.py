"""Values go in checked and sealed, come out masked, and are numbered in an order that everybody agrees on."""

import asyncio
from datetime import timedelta

import msgspec
import psycopg
import pytest

from service.kernel import Caller, SubjectId
from service.vault import Suppress
from service.vault.envelope import unseal
from service.vault.keys import Keys
from service.vault.opening import OpenValues
from service.vault.ring_file import FileRing

ANN = {"value": "Ann.Ash@Mail.Example"}
ADDRESS = {"lines": ["1 Elm St"], "locality": "Ulm", "postcode": "89073", "country": "DE"}


@pytest.fixture
def keys(root_keys, begin, clock, site) -> Keys:
    return Keys(FileRing.open(root_keys), begin, clock, keep=timedelta(minutes=5))


@pytest.fixture
def opened(begin, keys, clock) -> OpenValues:
    return OpenValues(begin, keys, unseal, clock)


@pytest.fixture
def suppress(begin, keys, clock) -> Suppress:
    return Suppress(begin, keys, unseal, clock)


async def handle_of(begin, tenant, subject):
    async with begin(tenant) as tx:
        return await tx.subjects.handle_of(SubjectId(subject))


async def test_a_value_is_stored_sealed_and_shown_masked(client, database):
    answer = await client.put("/v1/vault/ann/email", json=ANN)

    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "subject": "ann",
        "field": "email",
        "version": 1,
        "masked": "A•••@m•••.example",
        "at": "2026-11-21T09:00:00Z",
        "shared_with": 0,
    }
    shown = await client.get("/v1/vault/ann")
    assert shown.headers["cache-control"] == "no-store"
    assert shown.json() == {
        "subject": "ann",
        "values": [
            {"field": "email", "version": 1, "masked": "A•••@m•••.example", "at": "2026-11-21T09:00:00Z"},
        ],
    }
    with psycopg.connect(database.urls.owner) as connection:
        for (sealed,) in connection.execute("SELECT sealed FROM vault_value"):
            assert b"mail" not in sealed.lower()


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("email", " Ann.Ash@MAIL.example", "Ann.Ash@mail.example"),
        ("phone", "+49 (30) 123-456", "+4930123456"),
        ("name", "  Ann Ash ", "Ann Ash"),
        ("birth_date", "1980-05-17", "1980-05-17"),
        ("national_id", "12 345\t678", "12 345 678"),
        ("postal_address", ADDRESS, ADDRESS | {"region": None}),
        ("document", {"media_type": "text/plain", "content": "aGk="}, {"media_type": "text/plain", "content": b"hi"}),
    ],
)
async def test_a_value_is_kept_in_one_spelling(client, begin, tenant, opened, field, value, kept):
    assert (await client.put(f"/v1/vault/ann/{field}", json={"value": value})).status_code == 201

    ann = await handle_of(begin, tenant, "ann")
    assert (await opened(tenant, {ann: [field]})).values[ann][field].value == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ann.lovelace"),
        ("email", "Ann <ann.lovelace@mail.example>"),
        ("email", "ann@mail.example, lovelace@mail.example"),
        ("phone", "030 123456"),
        ("phone", "+49 30 123456 ext. 7"),
        ("phone", "lovelace"),
        ("birth_date", "1980-02-30"),
        ("birth_date", "lovelace"),
        ("name", "lovelace\u0007"),
        ("name", " "),
        ("name", {"lovelace": 1}),
        ("postal_address", "lovelace"),
        ("postal_address", ADDRESS | {"country": "Germany"}),
        ("postal_address", ADDRESS | {"lovelace": 1}),
        ("document", {"media_type": "text/plain", "content": "lovelace!"}),
        ("document", {"media_type": "text/plain", "content": "A" * 1_500_000}),
    ],
)
async def test_what_is_no_such_value_is_refused_without_being_repeated(client, field, value):
    answer = await client.put(f"/v1/vault/ann/{field}", json={"value": value})

    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith("/value_refused")
    assert answer.json()["errors"][0]["pointer"] == "/value"
    assert "lovelace" not in answer.text.lower()


async def test_a_document_of_a_mebibyte_is_taken(client):
    content = "A" * (1024 * 1024 // 3 * 4)

    answer = await client.put("/v1/vault/ann/document", json={"value": {"media_type": "text/x", "content": content}})

    assert answer.json()["masked"] == "text •••"


async def test_an_unknown_field_is_not_found(client):
    answer = await client.put("/v1/vault/ann/shoe_size", json={"value": "42"})

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (404, "unknown_field")


async def test_several_values_of_a_field_are_told_apart_by_their_labels(client):
    await client.put("/v1/vault/ann/email", json=ANN)
    await client.put("/v1/vault/ann/email%23work", json={"value": "ann@work.example"})

    shown = (await client.get("/v1/vault/ann")).json()["values"]
    assert [(each["field"], each["masked"]) for each in shown] == [
        ("email", "A•••@m•••.example"),
        ("email#work", "a•••@w•••.example"),
    ]


async def test_each_write_is_a_version(client):
    await client.put("/v1/vault/ann/email", json=ANN)
    again = await client.put("/v1/vault/ann/email", json=ANN)

    assert (again.status_code, again.json()["version"], again.headers["etag"]) == (200, 2, '"2"')


async def test_concurrent_writes_are_all_kept_in_one_order(client):
    answers = await asyncio.gather(
        *(client.put("/v1/vault/ann/name", json={"value": f"Ann {number}"}) for number in range(20))
    )

    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 21))
    versions = (await client.get("/v1/vault/ann?versions=true")).json()["versions"]
    assert [each["version"] for each in versions] == list(range(20, 0, -1))


async def test_a_write_that_is_based_on_an_old_version_is_refused(client):
    first = await client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": "*"})
    await client.put("/v1/vault/ann/email", json=ANN)
    await client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": '"1"'})
    late = await client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": '"1"'})
    odd = await client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": 'W/"2", lovelace'})
    one_of = await client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": '"1", "2"'})

    assert (first.status_code, late.status_code, odd.status_code) == (412, 412, 412)
    assert (first.json()["version"], late.json()["version"]) == (0, 2)
    assert one_of.json()["version"] == 3


async def test_of_two_writes_based_on_one_version_one_wins(client):
    await client.put("/v1/vault/ann/email", json=ANN)

    answers = await asyncio.gather(
        *(client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": '"1"'}) for _ in range(5))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_a_deleted_value_is_gone_and_its_number_stays_taken(client, begin, tenant, opened):
    await client.put("/v1/vault/ann/email", json=ANN)

    late = await client.delete("/v1/vault/ann/email", headers={"if-match": '"7"'})
    deleted = await client.delete("/v1/vault/ann/email", headers={"if-match": '"1"'})

    assert (late.status_code, deleted.status_code, deleted.content) == (412, 204, b"")
    assert (await client.get("/v1/vault/ann")).json()["values"] == []
    assert (await client.delete("/v1/vault/ann/email")).status_code == 404
    assert (await client.put("/v1/vault/ann/email", json=ANN, headers={"if-match": "*"})).status_code == 412
    back = await client.put("/v1/vault/ann/email", json=ANN)
    assert (back.status_code, back.json()["version"]) == (201, 3)
    ann = await handle_of(begin, tenant, "ann")
    assert (await opened(tenant, {ann: ["email"]}, version=1)).values[ann]["email"].value == "Ann.Ash@mail.example"
    assert (await opened(tenant, {ann: ["email"]}, version=2)).values == {ann: {}}


async def test_whoever_is_unknown_has_nothing_to_show_or_delete(client):
    shown, deleted = await client.get("/v1/vault/bob"), await client.delete("/v1/vault/bob/email")

    assert (shown.status_code, deleted.status_code) == (404, 404)
    assert (await client.get("/v1/subjects/bob")).status_code == 404


async def test_versions_are_for_officers(client_of, client):
    await client.put("/v1/vault/ann/email", json=ANN)

    told = await client.get("/v1/vault/ann?versions=true")
    refused = await client_of(scope="vault:read").get("/v1/vault/ann?versions=true")
    own = await client_of(subject="ann").get("/v1/vault/ann?versions=true")

    assert told.json()["versions"] == [
        {
            "field": "email",
            "version": 1,
            "at": "2026-11-21T09:00:00Z",
            "until": None,
            "deleted": False,
            "actor": "shop-backend",
        }
    ]
    assert (refused.status_code, own.status_code) == (403, 403)


async def test_people_see_their_own_values_masked_and_nobody_elses(client_of, client):
    await client.put("/v1/vault/ann/email", json=ANN)

    own, others = client_of(subject="ann"), client_of(subject="bob")

    assert (await own.get("/v1/vault/ann")).json()["values"][0]["masked"] == "A•••@m•••.example"
    assert (await others.get("/v1/vault/ann")).status_code == 404
    assert (await own.put("/v1/vault/ann/email", json=ANN)).status_code == 403


async def test_how_many_others_have_the_same_value_is_told(client):
    await client.put("/v1/vault/ann/email", json=ANN)
    answers = await asyncio.gather(
        *(client.put(f"/v1/vault/{who}/email", json={"value": "ann.ash@mail.example"}) for who in ("bob", "cem"))
    )
    await client.put("/v1/vault/ann/email", json={"value": "ann@post.example"})
    last = await client.put("/v1/vault/bob/email%23old", json=ANN)

    assert max(answer.json()["shared_with"] for answer in answers) == 2
    assert last.json()["shared_with"] == 1
    assert "shared_with" not in (await client.put("/v1/vault/ann/name", json={"value": "Ann"})).json()


async def test_what_was_kept_about_an_erased_person_is_gone_on_read_and_on_write(client, begin, tenant, clock):
    await client.put("/v1/vault/ann/email", json=ANN)
    ann = await handle_of(begin, tenant, "ann")
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(ann, clock())

    answers = [
        await client.get("/v1/vault/ann"),
        await client.put("/v1/vault/ann/email", json=ANN),
        await client.delete("/v1/vault/ann/email"),
    ]

    assert [answer.status_code for answer in answers] == [410, 410, 410]
    assert {answer.json()["type"].rpartition("/")[2] for answer in answers} == {"subject_erased"}


async def test_one_refused_write_does_not_harm_those_of_the_same_moment(client, begin, tenant, clock):
    await client.put("/v1/vault/ann/email", json=ANN)
    ann = await handle_of(begin, tenant, "ann")
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(ann, clock())

    answers = await asyncio.gather(
        *(client.put(f"/v1/vault/{who}/name", json={"value": "Bo"}) for who in ("ann", "bob", "ann", "cem"))
    )

    assert [answer.status_code for answer in answers] == [410, 201, 410, 201]


async def test_a_damaged_key_turns_away_only_whoever_has_it(client, begin, tenant, database):
    await client.put("/v1/vault/ann/email", json=ANN)
    ann = await handle_of(begin, tenant, "ann")
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("UPDATE vault_subject_key SET wrapped = '\\x0102' WHERE handle = %s", (ann,))

    answers = await asyncio.gather(
        *(client.put(f"/v1/vault/{who}/name", json={"value": "Bo"}) for who in ("bob", "ann", "cem"))
    )

    assert [answer.status_code for answer in answers] == [201, 500, 201]
    assert answers[1].json()["type"].endswith("/unreadable")
    assert "retry-after" not in answers[1].headers, "waiting does not mend it"


async def test_a_suppressed_address_does_not_come_back_by_itself(client, client_of, begin, tenant, caller, suppress):
    await client.put("/v1/vault/ann/email", json=ANN)
    await client.put("/v1/vault/ann/phone", json={"value": "+49 30 123456"})
    await client.put("/v1/vault/ann/name", json={"value": "Ann Ash"})

    assert await suppress(await handle_of(begin, tenant, "ann"), by=caller) == 2

    sly = await client.put("/v1/vault/bob/email%23private", json={"value": "ANN.ash@mail.example"})
    number = await client.put("/v1/vault/bob/phone", json={"value": "+4930123456"})
    name = await client.put("/v1/vault/bob/name", json={"value": "Ann Ash"})
    own = await client.put("/v1/vault/ann/email", json=ANN)

    assert (sly.status_code, number.status_code, name.status_code, own.status_code) == (409, 409, 201, 200)
    assert sly.json()["type"].endswith("/suppressed")
    assert (await client.get("/v1/vault/bob")).json()["values"][0]["field"] == "name"


async def test_who_asks_to_be_kept_again_is_enrolled_by_an_officer(client, client_of, begin, tenant, caller, suppress):
    await client.put("/v1/vault/ann/email", json=ANN)
    await suppress(await handle_of(begin, tenant, "ann"), by=caller)

    refused = await client_of(scope="vault:write").put("/v1/vault/bob/email", json=ANN | {"reenrol": True})
    taken = await client.put("/v1/vault/bob/email", json=ANN | {"reenrol": True})

    assert (refused.status_code, taken.status_code) == (403, 201)
    entries = (await client.get("/v1/audit/entries?event=vault.reenrolled")).json()["entries"]
    assert [entry["object_id"] for entry in entries] == ["email/1"]


async def test_suppression_outlives_the_persons_key_and_names_nobody(
    client, begin, tenant, caller, suppress, database, clock
):
    await client.put("/v1/vault/ann/email", json=ANN)
    ann = await handle_of(begin, tenant, "ann")
    await suppress(ann, by=caller)
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(ann, clock())

    assert (await client.put("/v1/vault/bob/email", json=ANN)).status_code == 409
    with psycopg.connect(database.urls.owner) as connection:
        [[kind, digest]] = connection.execute(
            "SELECT kind, digest FROM vault_suppression WHERE tenant = %s", (tenant,)
        ).fetchall()
    assert (kind, len(digest)) == ("email", 32)


async def test_every_write_is_audited_without_its_value(client):
    await client.put("/v1/vault/ann/email%23work", json=ANN)
    await client.delete("/v1/vault/ann/email%23work")

    entries = (await client.get("/v1/audit/entries?subject=ann")).json()["entries"]
    assert [(entry["event"], entry["object_id"]) for entry in entries][1:] == [
        ("vault.value_stored", "email/1"),
        ("vault.value_deleted", "email/2"),
    ]
    assert entries[0]["event"] == "subject.created"


async def test_without_the_ring_nothing_is_stored_or_shown(client, root_keys):
    root_keys.chmod(0o644)
    try:
        answers = [await client.put("/v1/vault/ann/email", json=ANN), await client.get("/v1/vault/ann")]
    finally:
        root_keys.chmod(0o600)

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(answer.headers["retry-after"] for answer in answers)
    assert (await client.get("/v1/subjects/ann")).status_code == 404


async def test_a_write_of_another_process_meanwhile_loses_nothing(client, begin, tenant, keys, clock, monkeypatch):
    from service.vault.envelope import seal
    from service.vault.fields import BUILT_IN, Name
    from service.vault.values import Write
    from service.vault.writing import WriteValues

    caller = Caller(tenant=tenant, actor="other", request="r")
    other = WriteValues(begin, keys, seal, clock)

    def write(number):
        return Write(
            subject=SubjectId("ann"), name=Name("name"), field=BUILT_IN["name"], value=f"Ann {number}", by=caller
        )

    outcomes = await asyncio.gather(*(other(tenant, [write(number)]) for number in range(6)))

    assert sorted(written.version for [written] in outcomes) == [1, 2, 3, 4, 5, 6]


async def test_no_value_shows_in_a_repr_or_on_disk_in_a_hash_without_key(client, database, tenant):
    import hashlib

    await client.put("/v1/vault/ann/email", json={"value": "ann@mail.example"})

    with psycopg.connect(database.urls.owner) as connection:
        digests = {bytes(digest) for (digest,) in connection.execute("SELECT digest FROM vault_index")}
    assert digests
    assert not digests & {hashlib.sha256(form).digest() for form in (b"ann@mail.example", b"email\0ann@mail.example")}
    assert msgspec.json.encode(sorted(len(digest) for digest in digests)) == b"[%b]" % b",".join([b"32"] * len(digests))
