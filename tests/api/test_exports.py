"""Exports by request: asked for, counted, written, and had by a link."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from service import operations
from service.retention import ExpireAll
from tests.api.test_decisions import OPT_IN, knows_anna
from tests.api.test_reveals import EMAIL, kind, reveal
from tests.exported import ask, asked, entries_in, had, link, read, told


async def test_a_range_is_written_and_had_by_a_link(client, work, judge, tenant):
    await knows_anna(client, OPT_IN)
    answer = await ask(client)
    export = answer.json()["id"]

    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/audit/exports/{export}")
    assert (answer.json()["state"], answer.json()["result"]) == ("waiting", None)
    await work()
    shown = await read(client, export)
    path = await link(client, export)
    had = await client.get(path, headers={"authorization": ""})

    result = shown["result"]
    assert (shown["state"], shown["progress"]) == ("done", {"done": result["entries"], "total": result["entries"]})
    assert (had.status_code, had.headers["cache-control"]) == (200, "no-store")
    assert had.headers["content-type"] == "application/x-ndjson"
    assert had.headers["content-disposition"] == f'attachment; filename="{tenant}-{export}.ndjson"'
    assert (len(had.content), hashlib.sha256(had.content).hexdigest()) == (result["bytes"], result["sha256"])
    assert result["extent"] == f"0-{result['tree_size']}"
    assert "none is missing" in (await judge(had.content))[0]


async def test_each_step_is_an_entry(client, work):
    await knows_anna(client, OPT_IN)
    export = await asked(client)
    await work()
    await had(client, export)
    shown = await read(client, export)

    [exported] = await told(client, "audit.exported")
    assert exported["object_id"] == f"ndjson/{shown['result']['extent']}/{export}"
    assert exported["commitment"] == shown["result"]["sha256"]
    for event in ("requested", "linked", "downloaded"):
        [entry] = await told(client, f"audit.export_{event}")
        assert (entry["object_id"], entry["actor"]) == (export, "shop-backend")
    await client.delete(f"/v1/audit/exports/{export}")
    await client.delete(f"/v1/audit/exports/{export}")
    assert [entry["object_id"] for entry in await told(client, "audit.export_deleted")] == [export]


async def test_all_that_happened_to_a_person(client, work, judge):
    await knows_anna(client, OPT_IN)
    await client.put("/v1/subjects/ben", json={"residence": "DE"})
    export = await asked(client, wanted={"subjects": ["anna"]})
    await work()

    content = await had(client, export)

    [proved] = await judge(content)
    entries = entries_in(content)
    assert f"{len(entries)} chosen entries are in their places" in proved
    assert {entry["event"] for entry in entries} >= {"subject.created", "record.stored"}
    assert len({entry["subject"] for entry in entries}) == 1
    assert (await read(client, export))["wanted"] == {"handles": [entries[0]["subject"]]}
    with pytest.raises(AssertionError):
        await judge(content.replace(b'"event":"record.stored"', b'"event":"record.stores"'))


async def test_all_that_happened_to_a_person_is_also_what_was_theirs_under_another_id(client, work):
    for subject in ("anna", "ben"):
        await client.put(f"/v1/subjects/{subject}", json={"residence": "DE"})
    before = await client.get("/v1/audit/entries", params={"event": "subject.created"})
    handles = {entry["subject"] for entry in before.json()["entries"]}
    merged = await client.post("/v1/subjects/anna/merge", json={"with": "ben", "same": True})
    assert merged.status_code == 200, merged.text
    export = await asked(client, wanted={"subjects": ["ben"], "events": ["subject.created"]})
    await work()

    assert {entry["subject"] for entry in entries_in(await had(client, export))} == handles
    assert len(handles) == 2


async def test_whoever_is_unknown_has_no_export(client):
    assert kind(await ask(client, wanted={"subjects": ["nobody"]})) == (404, "unknown_subject")


async def test_what_was_sent_or_refused_under_a_rule(client, work):
    await knows_anna(client, OPT_IN)
    decided = {}
    for channel in ("email", "sms"):
        decided[channel] = (
            await client.post("/v1/decisions", json={"subject": "anna", "channel": channel, "purpose": "marketing"})
        ).json()
    rule = decided["email"]["reasons"][0]["rule"]
    other = next(reason["rule"] for reason in decided["sms"]["reasons"] if reason["rule"] not in str(decided["email"]))
    await work()

    async def found(**wanted: Any) -> list[str]:
        export = await asked(client, wanted=wanted)
        await work()
        found = [entry["object"] for entry in entries_in(await had(client, export))]
        counted = await client.post("/v1/audit/exports/count", json={"wanted": wanted})
        assert counted.json()["entries"] == len(found)
        return found

    assert decided["email"]["id"] in await found(rules=[rule])
    assert await found(rules=[other]) == [decided["sms"]["id"]]
    assert await found(rules=[other], outcome="permit") == []
    assert await found(outcome="permit") == [decided["email"]["id"]]
    assert await found(rules=["XX-NONE-01"]) == []


async def test_who_revealed_what(client, signed_for, work, put):
    await knows_anna(client, OPT_IN)
    await put("anna", {"email": EMAIL})
    officer = signed_for("officer-1")
    for whose in (client, officer, officer):
        assert (await reveal(whose)).status_code == 200
    await work()

    counted = await client.post("/v1/audit/exports/count", json={"wanted": {"events": ["vault.revealed"]}})
    theirs = {"events": ["vault.revealed"], "actors": ["officer-1"]}
    export = await asked(client, wanted=theirs)
    await work()

    assert counted.json()["events"] == {"vault.revealed": 3}
    assert [entry["actor"] for entry in entries_in(await had(client, export))] == ["officer-1", "officer-1"]


async def test_counting_makes_nothing(client, work):
    await knows_anna(client, OPT_IN)
    await work()
    before = (await client.get("/v1/audit/entries")).json()

    counted = (await client.post("/v1/audit/exports/count", json={})).json()

    assert counted["entries"] == counted["tree_size"] == len(before["entries"]) == sum(counted["events"].values())
    assert (await client.get("/v1/audit/entries")).json() == before


async def test_nothing_is_counted_of_a_log_that_was_never_signed(client):
    assert (await client.post("/v1/audit/exports/count", json={})).json() == {
        "entries": 0,
        "events": {},
        "tree_size": 0,
        "ended": 0,
    }


async def test_a_saved_filter_is_used_by_its_name(client, work):
    await knows_anna(client, OPT_IN)
    saved = {"events": ["record.stored"]}
    answers = [await client.put("/v1/audit/filters/records", json=saved) for _ in range(2)]
    await client.put("/v1/audit/filters/changes", json={"events": ["overlay.stored", "policy.activated"]})

    assert [answer.status_code for answer in answers] == [201, 200]
    assert (await client.get("/v1/audit/filters/records")).json()["wanted"] == saved
    first = await client.get("/v1/audit/filters", params={"limit": 1})
    rest = await client.get(first.links["next"]["url"])
    assert [each["name"] for page in (first, rest) for each in page.json()["filters"]] == ["changes", "records"]
    export = await asked(client, filter="records", wanted={"subjects": ["anna"]})
    await work()
    assert {entry["event"] for entry in entries_in(await had(client, export))} == {"record.stored"}
    assert (await client.delete("/v1/audit/filters/records")).status_code == 204
    assert kind(await client.delete("/v1/audit/filters/records")) == (404, "filter_unknown")
    assert kind(await ask(client, filter="records")) == (404, "filter_unknown")
    assert [entry["object_id"] for entry in await told(client, "audit.filter_stored")] == ["records", "changes"]
    assert [entry["object_id"] for entry in await told(client, "audit.filter_deleted")] == ["records"]


async def test_nobody_is_named_in_a_saved_filter(client):
    assert (await client.put("/v1/audit/filters/anna", json={"subjects": ["anna"]})).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"bom": True},
        {"wanted": {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}},
        {"wanted": {"from": "2026-11-02T00:00:00Z", "first": 1}},
    ],
)
async def test_what_cannot_be_made_is_refused_at_once(client, changes):
    assert kind(await ask(client, **changes)) == (409, "export_unusable")


@pytest.mark.parametrize("wanted", [{"events": ["no.such"]}, {"rules": ["no rule"]}, {"from": "2026-11-02"}, {"x": 1}])
async def test_what_is_no_filter_is_malformed(client, wanted):
    assert (await ask(client, wanted=wanted)).status_code == 400


async def test_what_the_log_does_not_have_fails_with_the_reason(client, work):
    await knows_anna(client, OPT_IN)
    export = await asked(client, wanted={"first": 10_000})
    await work()

    shown = await read(client, export)
    assert (shown["state"], shown["result"]) == ("failed", None)
    assert "the signed tree has" in shown["fault"]
    assert kind(await client.post(f"/v1/audit/exports/{export}/link")) == (409, "export_unusable")


async def test_a_table_has_a_mark_where_it_is_asked_for(client, work):
    await knows_anna(client, OPT_IN)
    export = await asked(client, format="csv", bom=True, wanted={"events": ["record.stored"]})
    await work()

    assert (await had(client, export)).startswith(b"\xef\xbb\xbfindex,leaf,")


async def test_a_pack_of_a_range_and_one_of_a_choice_verify(client, work, judge):
    await knows_anna(client, OPT_IN)
    whole, chosen = (
        await asked(client, format="pack"),
        await asked(client, format="pack", wanted={"subjects": ["anna"]}),
    )
    await work()

    assert any("none is missing" in words for words in await judge(await had(client, whole)))
    content = await had(client, chosen)
    proved = await judge(content)
    assert any("chosen entries are in their places" in words for words in proved)
    assert any("1 payloads are what entries record.stored commit to" in words for words in proved)
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        assert pack.namelist() == [
            "HOW-TO-VERIFY.md",
            "verify.py",
            "keys",
            "checkpoint",
            "selection.ndjson",
            "records.ndjson",
            "receipts.ndjson",
            "decisions.ndjson",
            "manifest",
        ]
        assert b"opt_in" in pack.read("records.ndjson")
        assert "is not proved" in pack.read("HOW-TO-VERIFY.md").decode()


@pytest.fixture
def _years_ago(clock):
    """Before anybody has a token: they are good for ten years."""
    clock.now = datetime(2019, 6, 3, 9, tzinfo=UTC)


@pytest.mark.usefixtures("_years_ago")
@pytest.mark.parametrize("wanted", [{"outcome": "deny"}, {"rules": ["XX-NONE-01"]}])
async def test_decisions_whose_content_ended_are_counted_where_rule_or_outcome_is_asked_for(
    client, work, judge, clock, database, tenant, wanted: dict[str, Any]
):
    question = {"subject": "anna", "channel": "email", "purpose": "marketing"}
    for _ in range(2):
        await client.post("/v1/decisions", json=question)
    clock.now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    await client.post("/v1/decisions", json=question)
    async with operations.transactions(database.urls.worker) as begin:
        await ExpireAll(begin, "worker", lambda *_: None, dry=False)(tenant)
    left = 1 if "outcome" in wanted else 0
    lines, pack = await asked(client, wanted=wanted), await asked(client, wanted=wanted, format="pack")
    every = await asked(client, wanted={"events": ["decision.made"]})
    await work()

    counted = (await client.post("/v1/audit/exports/count", json={"wanted": wanted})).json()
    assert (counted["entries"], counted["ended"]) == (left, 2)
    for export in (lines, pack):
        result = (await read(client, export))["result"]
        assert (result["entries"], result["ended"]) == (left, 2)
    content = await had(client, lines)
    assert json.loads(content.splitlines()[0])["wanted"]["ended"] == 2
    await judge(content)
    with zipfile.ZipFile(io.BytesIO(await had(client, pack))) as written:
        assert "2 decisions may have been wanted as well" in written.read("HOW-TO-VERIFY.md").decode()
    assert (await read(client, every))["result"]["ended"] == 0
    assert json.loads((await had(client, every)).splitlines()[0])["wanted"] == {"events": ["decision.made"]}
    later = {**wanted, "from": "2020-01-01T00:00:00Z"}
    assert (await client.post("/v1/audit/exports/count", json={"wanted": later})).json()["ended"] == 0
