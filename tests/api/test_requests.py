"""Requests of people through the API: receipt, moves, effects, and who may do what."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.decisions.artefacts import read_policy
from service.given import BUILD
from service.standing import ExamineStanding
from tests.conftest import FakeClock

BERLIN = {"place": "DE-BE", "time_zone": "Europe/Berlin"}
Client = httpx.AsyncClient
Clients = Callable[..., Client]


async def ask(client: Client, right: str, subject: str = "anna", **changes: Any) -> httpx.Response:
    place = {} if changes.pop("own", False) else BERLIN
    body = {"id": str(uuid4()), "subject": subject, "right": right} | place | changes
    return await client.post("/v1/requests", json=body)


async def asked(client: Client, right: str, subject: str = "anna", **changes: Any) -> dict[str, Any]:
    answer = await ask(client, right, subject, **changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def move(client: Client, request: dict[str, Any], name: str, **body: Any) -> httpx.Response:
    return await client.post(f"/v1/requests/{request['id']}/{name}", json={"version": request["version"]} | body)


async def moved(client: Client, request: dict[str, Any], name: str, **body: Any) -> dict[str, Any]:
    answer = await move(client, request, name, **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]


async def decision(client: Client, channel: str = "email", purpose: str = "marketing", **more: Any) -> str:
    answer = await client.post("/v1/decisions", json={"subject": "anna", "channel": channel, "purpose": purpose} | more)
    return str(answer.json()["decision"])


@pytest.fixture
async def agreed(client: Client) -> None:
    """Anna lives in Germany, and agreed to mail."""
    await client.put("/v1/subjects/anna", json={"residence": "DE", "age": 40})
    record = {
        "id": str(uuid4()),
        "subject": "anna",
        "ts": "2026-11-01T12:00:00Z",
        "channel": "email",
        "purpose": "marketing",
        "action": "opt_in",
        "method": "double_opt_in",
        "notice_version": "v1",
        "evidence": "confirmed",
    }
    assert (await client.post("/v1/records", json={"records": [record]})).status_code == 201
    assert await decision(client) == "permit"


@pytest.mark.usefixtures("agreed")
async def test_a_request_is_received_under_the_law_of_the_residence_with_its_dates(client: Client):
    request = await asked(client, "access")

    assert (request["law"], request["law_assumed"], request["state"]) == ("GDPR", False, "received")
    assert request["due_on"] == "2026-12-21"
    assert request["identity"]["sufficient"] == ["session", "reasonable", "high"]
    assert [one["move"] for one in request["history"]] == ["receive"]
    assert request["moves"] == [
        "acknowledge", "ask-fee", "ask-identity", "extend", "refuse", "verify", "withdraw",
    ]  # fmt: skip


@pytest.mark.usefixtures("agreed")
@pytest.mark.parametrize("right", ["objection", "withdraw_consents", "erasure"])
async def test_the_next_check_denies_after_a_request_that_counts_at_once(client: Client, right: str):
    """GDPR Art. 7(3), 17, 21(3): before anybody is verified."""
    request = await asked(client, right)

    assert await decision(client) == "deny"
    assert request["state"] == ("received" if right == "erasure" else "accepted")


@pytest.mark.parametrize(
    ("right", "residence", "purpose", "channel", "context"),
    [
        ("opt_out_of_sale", "US-CA", "sale_share", "web", {}),
        ("opt_out_of_sharing", "US-CA", "targeted_ads", "ads", {}),
        ("opt_out_of_targeted_ads", "US-VA", "targeted_ads", "ads", {}),
        ("opt_out_of_profiling", "US-VA", "profiling", "web", {}),
        ("limit_sensitive_use", "US-CA", "sensitive_use", "web", {"sensitive": "health", "use": "inference"}),
    ],
)
async def test_an_american_opt_out_counts_at_once(
    client: Client, right: str, residence: str, purpose: str, channel: str, context: dict[str, str]
):
    await client.put("/v1/subjects/anna", json={"residence": residence, "age": 40})
    before = (await client.get("/v1/subjects/anna")).json()["state"]
    request = await asked(client, right, place="US-CA", time_zone="America/Los_Angeles")
    after = (await client.get("/v1/subjects/anna")).json()["state"]

    assert request["dates"]["stop_on"] == "2026-11-21"
    assert (before, len(after)) == ([], 1)
    assert await decision(client, channel, purpose, context=context) == "deny"


@pytest.mark.usefixtures("agreed")
async def test_a_restriction_counts_from_acceptance_until_it_is_lifted(client: Client):
    request = await asked(client, "restriction")
    assert await decision(client) == "permit"

    request = await moved(client, request, "verify", reason="staff_decision")
    assert await decision(client) == "deny"
    for name in ("execute", "complete", "close"):
        request = await moved(client, request, name)
    assert await decision(client) == "deny"
    request = await moved(client, request, "lift")

    assert request["state"] == "closed"
    assert await decision(client) == "permit"
    assert problem(await move(client, request, "lift")) == (409, "move_not_allowed")


@pytest.mark.usefixtures("agreed")
async def test_the_log_commits_to_what_requests_say_of_people(client: Client, begin, caller):
    look = ExamineStanding(begin, read_policy(BUILD).vocabulary)
    request = await moved(client, await asked(client, "restriction"), "verify", reason="staff_decision")
    await asked(client, "erasure")
    assert await look(caller.tenant) == []
    for name in ("execute", "complete", "close", "lift"):
        request = await moved(client, request, name)

    flagged = (await client.get("/v1/audit/entries?event=subject.flagged")).json()["entries"]
    assert [bool(entry["commitment"]) for entry in flagged] == [True] * 3
    assert await look(caller.tenant) == []


@pytest.mark.usefixtures("agreed")
async def test_an_erasure_that_is_refused_or_withdrawn_stops_nothing_any_more(client: Client):
    first = await asked(client, "erasure")
    second = await asked(client, "erasure", law="UK_GDPR")
    refused = await moved(client, first, "refuse", reason="legal_obligation")
    assert refused["refusal"] == {
        "reason": "legal_obligation",
        "article": "Art. 17(3)(b)",
        "remedy": "complaint_and_court",
    }
    assert await decision(client) == "deny", "the other one is pending"

    await moved(client, second, "withdraw")
    assert await decision(client) == "permit"


async def test_the_same_again_is_no_other_request_and_other_content_is_refused(client: Client):
    body = {"id": str(uuid4()), "subject": "anna", "right": "objection"} | BERLIN
    first = await client.post("/v1/requests", json=body)
    again = await client.post("/v1/requests", json=body)
    history = (await client.get("/v1/subjects/anna/records")).json()["records"]

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    for other in ({"subject": "ben"}, {"right": "access"}, {"place": "DE-BY"}, {"via": "post"}, {"law": "GDPR"}):
        assert problem(await client.post("/v1/requests", json=body | other)) == (409, "request_id_reused")
    assert len(history) == len((await client.get("/v1/subjects/anna/records")).json()["records"]) == 4


async def test_a_second_request_for_the_same_joins_the_open_one(client: Client):
    first = await asked(client, "access")
    second = await asked(client, "access")
    other = await asked(client, "portability")

    assert (second["state"], second["joins"], second["moves"]) == ("duplicate", first["id"], [])
    assert other["joins"] is None
    for name, body in (("verify", {"reason": "staff_decision"}), ("execute", {}), ("complete", {})):
        first = await moved(client, first, name, **body)
    assert (await asked(client, "access"))["joins"] is None


async def test_what_an_agent_asks_for_does_not_hold_up_the_persons_own_request(client: Client):
    claimed = await asked(client, "erasure", via="agent")
    own = await asked(client, "erasure")
    await moved(client, claimed, "withdraw")

    assert (own["state"], own["joins"]) == ("received", None)
    assert (await client.get("/v1/subjects/anna")).json()["flags"]["erasure_pending"] is True
    assert [each["id"] for each in (await client.get("/v1/requests")).json()["requests"]] == [own["id"]]


async def test_a_right_that_the_law_lacks_is_told_with_those_it_has(client: Client):
    await client.put("/v1/subjects/anna", json={"residence": "US-IA"})
    answer = await ask(client, "rectification")

    assert problem(answer) == (409, "right_unknown")
    assert answer.json()["law"] == "ICDPA_IA"
    assert "erasure" in answer.json()["rights"]
    assert problem(await ask(client, "access", law="HAMMURABI")) == (409, "unknown_law")


async def test_the_gdpr_is_assumed_where_nobody_knows_and_the_answer_says_so(client: Client):
    nobody_knows = await asked(client, "access")
    await client.put("/v1/subjects/ines", json={"residence": "IN"})
    not_yet = await asked(client, "access", subject="ines")

    assert (nobody_knows["law"], nobody_knows["law_assumed"]) == ("GDPR", True)
    assert (not_yet["law"], not_yet["law_assumed"]) == ("GDPR", True), "India's law gives its rights from 2027 on"
    assert problem(await ask(client, "access", law="DPDP_IN")) == (409, "law_not_in_force")


async def test_nobody_counts_days_at_a_place_that_nobody_said(client: Client):
    assert problem(await ask(client, "access", own=True)) == (409, "place_needed")
    assert problem(await ask(client, "access", place="ZZ")) == (409, "unknown_place")
    assert problem(await ask(client, "access", time_zone="Mars/Base")) == (409, "unknown_zone_of_receipt")


async def test_what_came_days_ago_is_due_from_then_and_nothing_comes_tomorrow(client: Client, clock: FakeClock):
    request = await asked(client, "access", received_at="2026-11-02T23:30:00Z", via="post")

    assert request["due_on"] == "2026-12-03", "in Berlin it was the third"
    late = (clock() + timedelta(hours=1)).isoformat()
    assert problem(await ask(client, "access", received_at=late)) == (409, "request_from_the_future")
    assert problem(await ask(client, "access", received_at="1850-01-01T00:00:00Z")) == (409, "receipt_out_of_range")


async def test_nothing_is_carried_out_for_whom_nobody_knows(client: Client):
    request = await asked(client, "access", law="CCPA")
    assert problem(await move(client, request, "execute")) == (409, "move_not_allowed")
    weak = await move(client, request, "verify", reason="two_data_points")
    assert problem(weak) == (409, "verification_needed")
    assert weak.json()["needed"] == ["high", "session"]
    assert problem(await move(client, request, "verify", reason="her_word")) == (409, "method_unknown")
    assert problem(await move(client, request, "verify")) == (409, "method_unknown")

    request = await moved(client, request, "ask-identity")
    request = await moved(client, request, "verify", reason="three_data_points_and_declaration")
    assert (request["state"], request["identity"]["verified"]) == ("accepted", "high")


async def test_an_agent_shows_their_authority_and_the_opt_out_counts_before(client: Client):
    await client.put("/v1/subjects/anna", json={"residence": "US-CA"})
    request = await asked(client, "opt_out_of_sale", via="agent", place="US-CA", time_zone="America/Los_Angeles")

    assert request["state"] == "received"
    assert (await client.get("/v1/subjects/anna")).json()["state"] != []
    assert problem(await move(client, request, "verify", reason="not_needed")) == (409, "verification_needed")
    wrong = await move(client, request, "verify", reason="not_needed", authority="written_authority")
    assert problem(wrong) == (409, "method_unknown")
    request = await moved(client, request, "verify", reason="not_needed", authority="signed_permission")
    assert request["identity"] == {
        "sufficient": ["none", "session", "reasonable", "high"],
        "verified": "none",
        "agent": True,
        "authorised": True,
    }


async def test_a_move_counts_once_and_on_what_its_sender_saw(client: Client):
    request = await asked(client, "access")
    await moved(client, request, "ask-identity")
    again = await move(client, request, "ask-identity")

    assert problem(again) == (409, "request_moved")
    assert again.json()["version"] == 2
    seen = (await client.get(f"/v1/requests/{request['id']}")).json()
    assert [one["move"] for one in seen["history"]] == ["receive", "ask-identity"]


async def test_reasons_are_words_that_the_law_knows(client: Client):
    request = await asked(client, "access")

    for reason in ("legal_obligation", "because", None):
        body = {} if reason is None else {"reason": reason}
        assert problem(await move(client, request, "refuse", **body)) == (409, "ground_unknown")
    assert problem(await move(client, request, "ask-identity", reason="complex")) == (409, "ground_unknown")
    assert (await move(client, request, "refuse", reason="Because she asked twice")).status_code == 400
    assert (await move(client, request, "join")).status_code == 400
    assert (await moved(client, request, "refuse", reason="excessive"))["state"] == "refused"


async def test_an_extension_adds_what_the_law_gives_once_and_in_time(client: Client, clock: FakeClock):
    request = await asked(client, "access")
    late = await asked(client, "erasure")
    request = await moved(client, request, "extend", reason="complex")

    assert request["due_on"] == "2027-02-22"
    assert request["dates"]["extension_notice_by"] == "2026-12-21"
    assert problem(await move(client, request, "extend", reason="complex")) == (409, "move_not_allowed")
    clock.now = datetime(2026, 12, 21, 23, 30, tzinfo=UTC)
    assert problem(await move(client, late, "extend", reason="complex")) == (409, "extension_too_late")
    never = await asked(client, "access", law="QC_LAW25")
    assert problem(await move(client, never, "extend", reason="complex")) == (409, "not_extendable")


async def test_the_clock_stands_only_where_the_law_stops_it(client: Client, clock: FakeClock):
    """UK GDPR Art. 12A; the GDPR's month runs on."""
    british = await asked(client, "access", law="UK_GDPR", place="GB-ENG", time_zone="Europe/London")
    german = await asked(client, "access")
    british, german = [await moved(client, each, "ask-identity") for each in (british, german)]
    assert (british["due_on"], british["dates"]["suspended"], german["due_on"]) == (None, True, "2026-12-21")

    clock.advance(timedelta(days=10))
    british, german = [await moved(client, each, "verify", reason="phone_code") for each in (british, german)]
    assert (british["due_on"], german["due_on"]) == ("2027-01-04", "2026-12-21"), (
        "counted from the answer on, and not to New Year"
    )


async def test_the_queue_shows_what_is_due_first_and_leads_on(client: Client, clock: FakeClock):
    days = [5, 1, 4, 2, 3]
    for day in days:
        await asked(client, "access", subject=f"s-{day}", received_at=f"2026-11-0{day}T12:00:00Z")
    gone = await asked(client, "access", subject="zoe")
    await moved(client, gone, "refuse", reason="excessive")

    first = await client.get("/v1/requests", params={"limit": 3})
    rest = await client.get(first.links["next"]["url"])
    subjects = [each["subject"] for page in (first, rest) for each in page.json()["requests"]]
    assert subjects == ["s-1", "s-2", "s-3", "s-4", "s-5"]
    assert "next" not in rest.links

    clock.now = datetime(2026, 12, 3, 12, tzinfo=UTC)
    for query, expected in (
        ({"overdue": "true"}, ["s-1", "s-2"]),
        ({"due_before": "2026-12-02T00:00:00+01:00"}, ["s-1"]),
        ({"state": "refused"}, ["zoe"]),
        ({"right": "erasure"}, []),
        ({"law": "GDPR", "limit": "1"}, ["s-1"]),
        ({"state": "refused", "overdue": "true"}, []),
    ):
        found = (await client.get("/v1/requests", params=query)).json()["requests"]
        assert [each["subject"] for each in found] == expected, query
        assert "state" not in query or {each["elapsed"] for each in found} <= {None}
    queue = (await client.get("/v1/requests")).json()["requests"]
    assert [(each["overdue"], each["elapsed"]) for each in queue] == [(True, 100)] * 2 + [(False, 80)] * 3


async def test_people_ask_for_themselves_and_reach_no_request_of_others(client: Client, client_of: Clients):
    anna = client_of(subject="anna")
    bens = await asked(client, "access", subject="ben")
    assert problem(await ask(anna, "access", own=True)) == (409, "place_needed")
    for staffs in ({"via": "phone"}, {"received_at": "2026-11-01T00:00:00Z"}, BERLIN):
        assert problem(await ask(anna, "access", own=True, **staffs)) == (409, "for_staff")
    assert problem(await ask(anna, "access", subject="ben", own=True)) == (404, "unknown_subject")
    assert (await anna.get("/v1/requests")).status_code == 403
    assert problem(await anna.get(f"/v1/requests/{bens['id']}")) == (404, "request_unknown")
    assert problem(await move(anna, bens, "withdraw")) == (404, "request_unknown")


async def test_a_log_in_shows_who_asks(client: Client, client_of: Clients, seated: None):
    anna = client_of(subject="anna")
    request = await asked(anna, "erasure", own=True)

    assert (request["state"], request["identity"]["verified"]) == ("accepted", "session")
    assert (await anna.get(f"/v1/requests/{request['id']}")).json() == request
    assert problem(await move(anna, request, "execute")) == (409, "for_staff")
    assert (await moved(anna, request, "withdraw"))["state"] == "withdrawn"
    assert (await client.get("/v1/subjects/anna")).json()["flags"] == {}


async def test_a_request_stays_theirs_when_they_are_merged(client: Client, client_of: Clients, seated: None):
    request = await asked(client, "erasure", subject="anna")
    await client.put("/v1/subjects/anna-2", json={})
    merged = await client.post("/v1/subjects/anna-2/merge", json={"with": "anna", "same": True})
    assert merged.status_code == 200, merged.text

    seen = (await client_of(subject="anna").get(f"/v1/requests/{request['id']}")).json()
    assert seen["subject"] == "anna-2"
    assert (await client.get("/v1/requests")).json()["requests"] == [seen]
    assert (await asked(client, "erasure", subject="anna-2"))["joins"] == request["id"]
    await moved(client, request, "refuse", reason="excessive")
    assert "erasure_pending" not in (await client.get("/v1/subjects/anna")).json()["flags"]


async def test_each_move_is_in_the_log_with_who_did_it(client: Client, signed_for: Clients):
    request = await asked(client, "access")
    officer = signed_for("officer", scope="requests:manage")
    request = await moved(officer, request, "verify", reason="staff_decision")
    await moved(officer, request, "execute")

    log = (await client.get("/v1/audit/entries", params={"actor": "officer"})).json()["entries"]
    assert [(entry["event"], entry["object_id"]) for entry in log] == [
        ("request.verified", request["id"]),
        ("request.executing", request["id"]),
    ]
    seen = (await client.get(f"/v1/requests/{request['id']}")).json()
    assert [(one["actor"], one.get("reason")) for one in seen["history"]][1:] == [
        ("officer", "staff_decision"),
        ("officer", None),
    ]
