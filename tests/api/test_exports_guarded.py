"""Exports that two people agree to, personal data in them, links that end, and files that go."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pyrage
import pytest

from service.kernel import Handle
from tests.api.test_decisions import OPT_IN, knows_anna
from tests.api.test_reveals import EMAIL, kind
from tests.exported import ask, asked, files, had, link, read, told
from tests.vaulted import Put

# --- four eyes --------------------------------------------------------------------------------


async def test_nothing_is_written_before_a_second_person_agrees(client, signed_for, work):
    await knows_anna(client, OPT_IN)
    export = await asked(client, four_eyes=True)
    await work()
    assert (await read(client, export))["state"] == "unapproved"
    assert kind(await client.post(f"/v1/audit/exports/{export}/approve")) == (409, "second_person_needed")

    second = signed_for("officer-2")
    agreed = await second.post(f"/v1/audit/exports/{export}/approve")
    again = await second.post(f"/v1/audit/exports/{export}/approve")
    await work()

    assert (agreed.status_code, agreed.json()["approved_by"], agreed.json()["state"]) == (200, "officer-2", "waiting")
    assert again.status_code == 200
    assert (await read(client, export))["state"] == "done"
    assert [entry["actor"] for entry in await told(client, "audit.export_approved")] == ["officer-2"]
    third = await signed_for("officer-3").post(f"/v1/audit/exports/{export}/approve")
    assert kind(third) == (409, "export_unusable")


async def test_the_database_knows_as_well_that_nobody_agrees_for_themselves(client, begin, tenant, clock):
    export = await asked(client, four_eyes=True)

    with pytest.raises(Exception, match="second_person"):
        async with begin(tenant) as tx:
            await tx.exports.approve(export, actor="shop-backend", at=clock())


async def test_what_nobody_agreed_to_for_a_day_is_over(client, signed_for, work, clock):
    export = await asked(client, four_eyes=True)
    clock.advance(timedelta(hours=24))

    assert (await read(client, export))["state"] == "expired"
    late = await signed_for("officer-2").post(f"/v1/audit/exports/{export}/approve")
    assert kind(late) == (409, "export_unusable")
    await work()
    assert (await read(client, export))["state"] == "expired"


# --- personal data ----------------------------------------------------------------------------


@pytest.fixture
async def anna(client: httpx.AsyncClient, put: Put) -> Handle:
    await knows_anna(client, OPT_IN)
    return await put("anna", {"email": EMAIL, "birth_date": "1986-02-03"})


def personal(recipient: str | None, **changes: Any) -> dict[str, Any]:
    wanted = {"format": "pack", "purpose": "legal_claim", "wanted": {"subjects": ["anna"]}}
    return wanted | {"personal": {"fields": ["email", "phone"], "recipient": recipient}} | changes


async def test_personal_data_is_for_one_recipient_after_two_officers(
    client, signed_for, work, anna, settings, judge, tenant
):
    holder = pyrage.x25519.Identity.generate()
    export = await asked(client, **personal(str(holder.to_public())))
    await work()
    assert (await read(client, export))["state"] == "unapproved"
    clerk = signed_for("clerk", scope="audit:export")
    assert kind(await clerk.post(f"/v1/audit/exports/{export}/approve")) == (403, "officers_only")
    await signed_for("officer-2").post(f"/v1/audit/exports/{export}/approve")
    await work()
    content = await had(client, export)

    assert await judge(content)
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        [line] = map(json.loads, pyrage.decrypt(pack.read("personal.ndjson.age"), [holder]).splitlines())
        assert not [name for name in pack.namelist() if EMAIL.encode() in pack.read(name)]
    assert (line["subject"], line["id"], line["values"], line["missing"]) == (
        str(anna),
        "anna",
        {"email": EMAIL},
        ["phone"],
    )
    [entry] = await told(client, "vault.revealed")
    assert (entry["object_id"], entry["actor"]) == (line["reveal"], "shop-backend")
    [requested] = await told(client, "audit.export_requested")
    assert entry["request"] == requested["request"]
    written = files(settings)
    assert [oct(path.stat().st_mode & 0o777) for path in written] == ["0o600"]
    assert not [path for path in written if EMAIL.encode() in path.read_bytes()]


async def test_a_handle_of_before_a_merge_is_not_called_erased(client, signed_for, work, anna, put):
    holder = pyrage.x25519.Identity.generate()
    former = await put("anne", {"phone": "+49 30 1234567"})
    merged = await client.post("/v1/subjects/anna/merge", json={"with": "anne", "same": True})
    assert merged.status_code == 200, merged.text
    export = await asked(client, **personal(str(holder.to_public())))
    await signed_for("officer-2").post(f"/v1/audit/exports/{export}/approve")
    await work()
    content = await had(client, export)

    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        lines = map(json.loads, pyrage.decrypt(pack.read("personal.ndjson.age"), [holder]).splitlines())
        by_handle = {line["subject"]: line for line in lines}
    assert by_handle[str(former)] == {"subject": str(former), "merged": True}
    assert by_handle[str(anna)]["values"].keys() == {"email", "phone"}


async def test_nothing_is_told_of_whoever_was_erased_before_it_is_written(
    client, signed_for, work, anna, begin, tenant, clock
):
    holder = pyrage.x25519.Identity.generate()
    export = await asked(client, **personal(str(holder.to_public())))
    await signed_for("officer-2").post(f"/v1/audit/exports/{export}/approve")
    async with begin(tenant) as tx:
        await tx.keys.destroy_subject_key(anna, clock())
    await work()

    with zipfile.ZipFile(io.BytesIO(await had(client, export))) as pack:
        lines = pyrage.decrypt(pack.read("personal.ndjson.age"), [holder]).splitlines()
    assert [json.loads(line) for line in lines] == [{"subject": str(anna), "erased": True}]
    assert await told(client, "vault.revealed") == []


async def test_personal_data_without_a_recipient_is_refused(client, anna):
    assert kind(await ask(client, **personal(None))) == (409, "recipient_needed")
    assert kind(await ask(client, **personal("age1nobody"))) == (409, "export_unusable")


async def test_personal_data_takes_an_officer_a_purpose_a_pack_and_people(client, client_of, anna):
    key = str(pyrage.x25519.Identity.generate().to_public())

    assert kind(await ask(client_of(scope="audit:export"), **personal(key))) == (403, "officers_only")
    for changes in ({"purpose": "internal_audit"}, {"format": "ndjson"}, {"wanted": {"events": ["record.stored"]}}):
        assert kind(await ask(client, **personal(key, **changes))) == (409, "export_unusable")
    assert await told(client, "audit.export_requested") == []


# --- links, and the end -----------------------------------------------------------------------


async def test_a_link_is_good_for_a_while_and_only_the_last_one(client, work, clock, settings):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await work()
    first, second = await link(client, export), await link(client, export)

    assert kind(await client.get(first)) == (404, "export_unknown")
    assert (await client.get(second)).status_code == 200
    clock.advance(timedelta(seconds=settings.export_link_seconds))
    assert kind(await client.get(second)) == (410, "link_expired")
    assert len(await told(client, "audit.export_downloaded")) == 1


async def test_a_link_is_for_one_export_of_one_tenant(client, client_of, add_tenant, work, tenant):
    await knows_anna(client, OPT_IN)
    export, other = await asked(client), await asked(client)
    await work()
    path, stranger = await link(client, export), add_tenant()

    for wrong in (
        path.replace(tenant, stranger),
        path.replace(tenant, "nobody-at-all"),
        path.replace(export, other),
        path[:-1] + ("A" if path[-1] != "A" else "B"),
    ):
        assert kind(await client.get(wrong)) == (404, "export_unknown")
    assert kind(await client_of(tenant=stranger).post(f"/v1/audit/exports/{export}/link")) == (404, "export_unknown")
    for malformed in (path.partition("&")[0], path + "A", path.partition("?")[0]):
        assert (await client.get(malformed)).status_code == 400


async def test_a_key_is_neither_stored_nor_logged(client, work, database, log):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await work()
    path = await link(client, export)
    key = path.rpartition("=")[2]
    assert (await client.get(path)).status_code == 200

    with psycopg.connect(database.urls.owner) as connection:
        [(stored,)] = connection.execute("SELECT link_hash FROM audit_export WHERE id = %s", (export,)).fetchall()
    assert stored == hashlib.sha256(key.encode()).digest()
    assert b"/file" in log.getvalue()
    assert key.encode() not in log.getvalue()


async def test_a_file_goes_when_its_time_is_over(client, work, clock, settings):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await work()
    path = await link(client, export)
    clock.advance(timedelta(hours=72))

    assert (await read(client, export))["state"] == "expired"
    assert kind(await client.post(f"/v1/audit/exports/{export}/link")) == (410, "export_gone")
    await work()
    assert (await read(client, export))["state"] == "expired"
    assert kind(await client.get(path)) == (404, "export_unknown")
    assert files(settings) == []


async def test_a_file_goes_when_it_is_deleted(client, work, settings):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await work()
    path = await link(client, export)

    assert (await client.delete(f"/v1/audit/exports/{export}")).status_code == 204
    assert (await read(client, export))["state"] == "deleted"
    assert kind(await client.get(path)) == (404, "export_unknown")
    assert files(settings) == []


@pytest.mark.parametrize("harm", ["gone", "cut"])
async def test_a_file_that_vanished_or_was_cut_is_a_clear_problem(client, work, settings, harm):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await work()
    path = await link(client, export)
    [file] = files(settings)
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])

    assert kind(await client.get(path)) == (410, "export_gone")
    assert await told(client, "audit.export_downloaded") == []


async def test_one_that_waits_can_be_called_off(client, work):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await client.delete(f"/v1/audit/exports/{export}")
    await work()

    assert (await read(client, export))["state"] == "deleted"
    assert await told(client, "audit.exported") == []


async def test_only_so_many_are_under_way_at_once(client, clock):
    for _ in range(5):
        await asked(client, four_eyes=True)

    assert kind(await ask(client)) == (409, "too_many_exports")
    clock.advance(timedelta(hours=24))
    assert (await ask(client)).status_code == 202


async def test_the_list_has_the_newest_first(client):
    exports = [await asked(client) for _ in range(3)]

    first = await client.get("/v1/audit/exports", params={"limit": 2})
    rest = await client.get(first.links["next"]["url"])

    assert [each["id"] for page in (first, rest) for each in page.json()["exports"]] == exports[::-1]
    assert "next" not in rest.links
