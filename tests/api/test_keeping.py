"""What is past its period is gone and says so; its entries and proofs stay, and no answer changes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from service import db, operations
from service.audit.keeping import Content, Outcome
from service.audit.notes import parse_keys
from service.audit.verifier import Verifier
from service.consent import RebuildState
from service.decisions.artefacts import read_policy
from service.given import BUILD
from service.kernel import SubjectId
from service.retention import ExpireAll
from service.subjects import Flags
from tests.builders import a_record_body

LONG_AGO = datetime(2019, 6, 3, 9, tzinfo=UTC)
Run = Callable[..., Awaitable[dict[Content, Outcome]]]


@pytest.fixture(autouse=True)
def _long_ago(clock):
    """The database believes no clock that is ahead of its own."""
    clock.now = LONG_AGO


@pytest.fixture
def run(database, tenant) -> Run:
    async def run(*, dry: bool = False) -> dict[Content, Outcome]:
        async with operations.transactions(database.urls.worker) as begin:
            outcomes = await ExpireAll(begin, "worker", lambda *_: None, dry=dry)(tenant)
        return {outcome.content: outcome for outcome in outcomes}

    return run


def removed(outcomes: dict[Content, Outcome]) -> dict[str, int]:
    return {content.value: outcome.removed for content, outcome in outcomes.items() if outcome.removed}


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]


async def send(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, path, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def decide(client: httpx.AsyncClient, subject: str = "anna") -> Any:
    asked = {"subject": subject, "channel": "email", "purpose": "marketing"}
    return await send(client, "POST", "/v1/decisions", asked)


def act(action: str, at: datetime, subject: str = "anna") -> dict[str, Any]:
    return a_record_body(subject=subject, action=action, ts=at.isoformat(), notice_version="v1")


async def live(client: httpx.AsyncClient, clock, subject: str = "anna") -> dict[str, Any]:
    """Somebody agrees, is asked about, and withdraws."""
    await send(client, "PUT", f"/v1/subjects/{subject}", {"residence": "DE", "age": 40})
    given = act("opt_in", clock(), subject)
    await send(client, "POST", "/v1/records", {"records": [given]})
    decision = await decide(client, subject)
    clock.advance(timedelta(days=30))
    withdrawn = act("opt_out", clock(), subject)
    await send(client, "POST", "/v1/records", {"records": [withdrawn]})
    await send(client, "PUT", f"/v1/subjects/{subject}", {"residence": "FR", "age": 41})
    return {"given": given["id"], "withdrawn": withdrawn["id"], "decision": decision["id"], "body": given}


async def test_what_is_over_goes_and_says_so_and_its_proofs_stay(
    client, client_of, clock, run, sequence, tenant, database
):
    life = await live(client, clock)
    await sequence()
    asked_before = await run(dry=True)
    paths = {"record": f"/v1/records/{life['given']}/receipt", "decision": f"/v1/decisions/{life['decision']}"}
    for path in paths.values():
        assert (await client.get(path)).status_code == 200, "a dry run takes nothing"
    outcomes = await run()

    assert removed(outcomes) == removed(asked_before) | {"facts": 1}  # only then does no decision point to them
    assert removed(outcomes) == {"record": 1, "decision": 1, "facts": 1, "subject": 1, "event": 5}
    for path in paths.values():
        assert problem(await client.get(path)) == (410, "content_expired")
        assert problem(await client_of(subject="anna").get(path)) == (410, "content_expired")
        assert (await client_of(subject="ben").get(path)).status_code == 404
    keys = (await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})).json()["keys"]
    judge = Verifier(parse_keys("\n".join(key["verifier_key"] for key in keys)))
    for named in ({"record": life["given"]}, {"decision": life["decision"]}):
        answer = await client.get("/v1/audit/proofs/inclusion", params=named)
        assert answer.status_code == 200, answer.text
        judge.proof(answer.text, "proof")
    assert not judge.report.findings
    assert len(judge.report.proved) == 2
    assert (await client.get(f"/v1/records/{life['withdrawn']}/receipt")).status_code == 200
    told = (await client.get("/v1/subjects/anna/timeline")).json()["items"]
    assert {item["id"] for item in told if item.get("gone")} == {life["given"], life["decision"]}
    assert removed(await run()) == {}, "nothing is left to do"
    entries = (await client.get("/v1/audit/entries", params={"event": "content.expired"})).json()["entries"]
    noted = sorted(entry["object_id"] for entry in entries)
    assert noted == ["decision/1", "event/5", "facts/1", "record/1", "subject/1"]
    assert {(entry["actor"], entry["subject"]) for entry in entries} == {("worker", None)}


async def test_no_answer_changes_and_the_state_is_what_the_records_say(client, clock, run, begin, caller):
    await live(client, clock)
    clock.now = datetime.now(UTC)
    before = await decide(client)
    shown = (await client.get("/v1/subjects/anna")).json()
    await run()
    after = await decide(client)

    assert before["decision"] == after["decision"] == "deny"
    rules = [{reason["rule"] for reason in answer["reasons"]} for answer in (before, after)]
    assert rules[1] < rules[0], "nothing is said any more about the consent that was withdrawn"
    shown_after = (await client.get("/v1/subjects/anna")).json()
    assert "opt_out" in str(shown_after)
    assert shown_after["facts"] == shown["facts"]
    rebuilt = await RebuildState(begin, read_policy(BUILD).vocabulary)(check=True, by=caller)
    assert (rebuilt.subjects, rebuilt.differing) == (1, 0)


async def test_a_consent_that_is_relied_on_and_every_refusal_stay(client, clock, run):
    """However old they are."""
    await send(client, "PUT", "/v1/subjects/anna", {"residence": "DE", "age": 40})
    given = act("opt_in", clock())
    refused = [act(action, clock() - timedelta(days=400)) for action in ("opt_out", "object", "complaint", "restrict")]
    await send(client, "POST", "/v1/records", {"records": [given, *refused]})
    outcomes = await run()

    assert outcomes[Content.RECORD].removed == 0
    assert len((await client.get("/v1/subjects/anna/records")).json()["records"]) == 5


async def test_a_record_that_went_is_not_stored_again(client, clock, run):
    life = await live(client, clock)
    await run()
    answer = await client.post("/v1/records", json={"records": [act("opt_in", clock()), life["body"]]})

    assert problem(answer) == (410, "content_expired")
    assert answer.json()["errors"][0]["pointer"] == "/records/1/id"
    assert len((await client.get("/v1/subjects/anna/records")).json()["records"]) == 1, "all or nothing"


async def test_what_was_known_then_is_said_to_be_gone_and_not_that_nothing_was(client, clock, run):
    await live(client, clock)
    then = (LONG_AGO + timedelta(days=10)).isoformat()
    known = await client.get("/v1/subjects/anna", params={"as_of": then})
    await run()
    gone = await client.get("/v1/subjects/anna", params={"as_of": then})
    before = await client.get("/v1/subjects/anna", params={"as_of": (LONG_AGO - timedelta(days=9)).isoformat()})

    assert known.status_code == 200
    assert problem(gone) == (410, "content_expired")
    assert problem(before) == (410, "content_expired"), "the first version is gone, so nobody knows when it began"


async def test_younger_content_stays_and_so_do_facts_to_which_it_points(client, clock, run, database, tenant):
    await send(client, "PUT", "/v1/subjects/anna", {"residence": "DE", "age": 40, "last_sent_at": None})
    old = await decide(client)
    clock.now = datetime.now(UTC) - timedelta(days=365)
    young = await decide(client)
    outcomes = await run()

    assert outcomes[Content.DECISION].removed == 1
    assert (await client.get(f"/v1/decisions/{old['id']}")).status_code == 410
    shown = await client.get(f"/v1/decisions/{young['id']}", params={"replay": "true"})
    assert (shown.status_code, shown.json()["replay"]["same"]) == (200, True)


# --- holds ------------------------------------------------------------------------------------


async def hold(client: httpx.AsyncClient, name: str = "case-7", **what: Any) -> httpx.Response:
    return await client.put(f"/v1/audit/holds/{name}", json={"reason": "litigation", **what})


@pytest.mark.parametrize(
    "what",
    [
        {"subject": "anna"},
        {},
        {"from": "2019-06-01T00:00:00Z", "to": "2019-08-01T00:00:00Z"},
        {"from": "2019-06-01T00:00:00Z", "to": "2019-06-10T00:00:00Z"},  # stored then, and replaced later
        {"subject": "anna", "to": "2020-01-01T00:00:00Z", "reference": "7-O-12/19"},
    ],
)
async def test_what_is_held_stays_until_the_hold_is_lifted(client, clock, run, what):
    life = await live(client, clock)
    assert (await hold(client, **what)).status_code == 201
    held = await run()

    assert {content: held[content].removed for content in (Content.RECORD, Content.DECISION, Content.SUBJECT)} == {
        Content.RECORD: 0,
        Content.DECISION: 0,
        Content.SUBJECT: 0,
    }
    assert (held[Content.RECORD].held, held[Content.DECISION].held) == (1, 1)
    assert held[Content.FACTS].removed == 0
    assert (await client.get(f"/v1/decisions/{life['decision']}")).status_code == 200
    assert (await client.delete("/v1/audit/holds/case-7")).json()["lifted_at"] is not None
    assert {"record", "decision", "subject"} <= removed(await run()).keys()


@pytest.mark.parametrize("what", [{"subject": "ben"}, {"to": "2019-06-01T00:00:00Z"}, {"from": "2020-01-01T00:00:00Z"}])
async def test_a_hold_of_others_or_of_another_time_holds_nothing_here(client, clock, run, what):
    await live(client, clock)
    await send(client, "PUT", "/v1/subjects/ben", {"residence": "DE"})
    await hold(client, **what)

    assert removed(await run()).keys() >= {"record", "decision"}


async def test_a_hold_goes_along_with_a_merge_on_either_side(client, clock, run):
    life, other = await live(client, clock), await live(client, clock, "anne")
    assert (await hold(client, subject="anne")).status_code == 201
    await send(client, "POST", "/v1/subjects/anna/merge", {"with": "anne", "same": True})
    await run()

    for each in (life, other):
        assert (await client.get(f"/v1/decisions/{each['decision']}")).status_code == 200


async def test_nothing_goes_of_people_whose_data_are_restricted(client, clock, run, begin, tenant):
    await live(client, clock)
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(SubjectId("anna"))
        await tx.subjects.set_flags(handle, Flags(restricted=True))

    assert removed(await run()) == {}


async def test_a_hold_is_placed_once_and_is_never_narrowed_in_passing(client, client_of):
    await send(client, "PUT", "/v1/subjects/anna", {"residence": "DE"})
    first = await hold(client, subject="anna")
    again = await hold(client, subject="anna")
    other = await hold(client, subject="anna", to="2020-01-01T00:00:00Z")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert problem(other) == (409, "hold_redefined")
    assert problem(await hold(client, "x", subject="nobody")) == (409, "held_subject_unknown")
    backwards = await hold(client, "x", **{"from": "2020-01-02T00:00:00Z", "to": "2020-01-01T00:00:00Z"})
    assert problem(backwards) == (409, "hold_unclear")
    assert problem(await client.delete("/v1/audit/holds/x")) == (404, "hold_unknown")
    assert (await hold(client, "Ann Smith")).status_code == 400
    assert (await hold(client_of(scope="audit:read"))).status_code == 403
    lifted = (await client.delete("/v1/audit/holds/case-7")).json()
    assert (await client.delete("/v1/audit/holds/case-7")).json() == lifted
    assert (await hold(client, to="2020-01-01T00:00:00Z")).status_code == 201, "its name is free again"
    events = (await client.get("/v1/audit/entries")).json()["entries"]
    assert [entry["event"] for entry in events][-3:] == ["hold.placed", "hold.lifted", "hold.placed"]
    listed = (await client.get("/v1/audit/holds")).json()["holds"]
    assert [(each["name"], each["handle"], each["lifted_at"]) for each in listed] == [("case-7", None, None)]


async def test_a_step_waits_for_a_hold_that_is_being_placed_and_sees_it(client, clock, database, tenant, new_id):
    await live(client, clock)
    place = "INSERT INTO audit_hold (tenant, name, reason, placed_at, placed_by) VALUES (%s, 'n', 'audit', now(), 'x')"
    step = "SELECT removed, held FROM expire_decisions(%s, '2020-01-01', 10, false, '', %s, %s, 'worker')"
    async with db.pool(database.urls.worker) as workers:
        with psycopg.connect(database.urls.app) as app:
            app.execute("SELECT set_config('volens.tenant', %s, true)", (tenant,))
            app.execute(place, (tenant,))
            async with workers.connection() as worker:
                await worker.execute("SET lock_timeout = '200ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    await worker.execute(step, (tenant, new_id(), new_id()))
            app.commit()
        async with workers.connection() as worker:
            await worker.execute("SET lock_timeout = '5s'")
            assert await (await worker.execute(step, (tenant, new_id(), new_id()))).fetchone() == (0, 1)
