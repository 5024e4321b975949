"""Decisions, simulations, the log and the policy, over HTTP."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from uuid_utils.compat import uuid7

from service import app
from service.kernel import TenantId
from service.settings import Settings
from service.telemetry import Telemetry
from service.web.local_issuer import LocalIssuer
from tests.conftest import Database, FakeClock

ABOUT = ("id", "expect", "cite", "why", "disputed")
CASES = [
    case
    for line in (Path(__file__).parents[1] / "policy" / "cases" / "shared.jsonl").read_text().splitlines()
    if (case := json.loads(line))["jurisdiction"] in {"DE", "US-CA"}
]
OPT_IN = {
    "ts": "2026-03-02T09:05:00+01:00",
    "channel": "email",
    "purpose": "marketing",
    "action": "opt_in",
    "method": "double_opt_in",
    "evidence": "form+ip+wording+confirm_click",
    "notice_version": "v3",
}
FACTS = {"residence": "DE", "time_zone": "Europe/Berlin", "age": 40, "is_customer": False, "b2b": False}
QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}


async def knows_anna(client: httpx.AsyncClient, *records: dict[str, Any], **facts: Any) -> list[str]:
    """Store Anna and what she did; return the ids of her records."""
    stored = await client.put("/v1/subjects/anna", json=FACTS | facts)
    assert stored.status_code in {200, 201}, stored.text
    return await has(client, "anna", *records)


async def has(client: httpx.AsyncClient, subject: str, *records: dict[str, Any]) -> list[str]:
    ids = [str(uuid7()) for _ in records]
    if records:
        body = {"records": [{"id": id_, "subject": subject, **each} for id_, each in zip(ids, records, strict=True)]}
        answer = await client.post("/v1/records", json=body)
        assert answer.status_code in {200, 201}, answer.text
    return ids


async def ask(client: httpx.AsyncClient, **question: Any) -> dict[str, Any]:
    answer = await client.post("/v1/decisions", json=QUESTION | question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def rules(decision: dict[str, Any]) -> list[str]:
    return [reason["rule"] for reason in decision["reasons"]]


async def test_a_permit_has_the_shape_that_is_promised(client: httpx.AsyncClient):
    (agreed,) = await knows_anna(client, OPT_IN)
    decision = await ask(client)

    assert set(decision) == {
        "id", "decision", "basis", "at", "reasons", "obligations", "records", "retry_after", "valid_until",
        "policy_revision", "permit",
    }  # fmt: skip
    assert (decision["decision"], decision["basis"], decision["at"]) == ("permit", "consent", "2026-11-21T09:00:00Z")
    assert decision["records"] == [agreed]
    assert {"unsubscribe_link", "identify_sender", "log_decision"} <= set(decision["obligations"])
    assert {"EU-EPD-01", "DE-DOI-01"} <= set(rules(decision))
    assert all(set(reason) == {"rule", "effect", "title", "citation"} for reason in decision["reasons"])
    assert (decision["retry_after"], decision["permit"]) == (None, None)
    assert decision["policy_revision"].startswith("sha256:")


async def test_an_unknown_subject_is_denied_with_the_reason_and_stays_unknown(client: httpx.AsyncClient):
    decision = await ask(client, subject="nobody")

    assert (decision["decision"], decision["basis"], decision["records"]) == ("deny", "none", [])
    assert "ENG-DENY-01" in rules(decision)
    assert (await client.get("/v1/subjects/nobody")).status_code == 404


async def test_a_withdrawal_is_seen_by_the_very_next_check(client: httpx.AsyncClient, clock: FakeClock):
    await knows_anna(client, OPT_IN)
    assert (await ask(client))["decision"] == "permit"
    await has(
        client, "anna", {**OPT_IN, "ts": clock.now.isoformat(), "action": "opt_out", "method": "unsubscribe_link"}
    )

    assert (await ask(client))["decision"] == "deny"


async def test_a_call_at_night_is_told_when_to_try_again(client: httpx.AsyncClient, clock: FakeClock):
    await knows_anna(client, {**OPT_IN, "channel": ["email", "phone"], "method": "web_form"})
    clock.now = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)  # a Monday, 22:00 in Berlin
    decision = await ask(client, channel="phone")

    assert decision["decision"] == "deny"
    assert {"ENG-QH-01"} <= set(rules(decision))
    assert decision["retry_after"] == "2026-11-24T09:00:00+01:00"
    assert (await ask(client, channel="phone", at=decision["retry_after"]))["decision"] == "permit"


async def test_a_decision_is_read_from_the_log_as_it_was_told(client: httpx.AsyncClient):
    await knows_anna(client, OPT_IN)
    for question in (QUESTION, {"channel": "phone"}, {"subject": "nobody"}):
        told = await ask(client, **question)
        read = (await client.get(f"/v1/decisions/{told['id']}")).json()

        assert told.items() <= read.items()
        assert read["actor"] == "shop-backend"
        assert read["facts"]["question"] == {"channel": question.get("channel", "email"), "purpose": "marketing"}
        assert read["replay"] is None
        assert (read["handle"] is None) == (question.get("subject") == "nobody")


async def test_a_decision_can_be_replayed_from_its_row(client: httpx.AsyncClient, clock: FakeClock):
    await knows_anna(client, OPT_IN)
    told = await ask(client)
    await has(
        client, "anna", {**OPT_IN, "ts": clock.now.isoformat(), "action": "opt_out", "method": "unsubscribe_link"}
    )
    clock.advance(timedelta(days=100))
    replay = (await client.get(f"/v1/decisions/{told['id']}", params={"replay": "true"})).json()["replay"]

    assert (replay["same"], replay["decision_then"], replay["decision_now"]) == (True, "permit", "permit")
    assert replay["revision_then"] == replay["revision_now"] == told["policy_revision"]
    assert [reason["rule"] for reason in replay["reasons_now"]] == rules(told)


async def test_another_tenants_decision_is_not_found(
    client: httpx.AsyncClient, client_of: Callable[..., httpx.AsyncClient], add_tenant: Callable[[], TenantId]
):
    told = await ask(client)
    stranger = client_of(tenant=add_tenant())

    for decision in (told["id"], uuid4()):
        answer = await stranger.get(f"/v1/decisions/{decision}")
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (404, "decision_unknown")


async def test_a_subjects_own_token_reaches_that_subjects_decisions_alone(
    client: httpx.AsyncClient, client_of: Callable[..., httpx.AsyncClient]
):
    await knows_anna(client, OPT_IN)
    await client.put("/v1/subjects/ben", json=FACTS)
    anna, about_ben, about_nobody = (
        client_of(subject="anna"),
        await ask(client, subject="ben"),
        await ask(client, subject="zoe"),
    )

    own = await ask(anna)
    assert (await anna.get(f"/v1/decisions/{own['id']}")).status_code == 200
    assert (await anna.post("/v1/decisions", json=QUESTION | {"subject": "ben"})).status_code == 404
    assert (await anna.get(f"/v1/decisions/{about_ben['id']}")).status_code == 404
    assert (await client_of(subject="zoe").get(f"/v1/decisions/{about_nobody['id']}")).status_code == 404
    assert (
        await anna.post("/v1/simulations/decision", json={"channel": "email", "purpose": "marketing"})
    ).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/decisions", "records:read"),
        ("GET", "/v1/decisions/01939b66-7c11-7d7a-b6a0-2f1d5b2f9aff", "records:read"),
        ("POST", "/v1/simulations/decision", "records:read"),
        ("GET", "/v1/policy", "decide"),
    ],
)
async def test_every_operation_needs_its_scope(
    client_of: Callable[..., httpx.AsyncClient], method: str, path: str, scope: str
):
    answer = await client_of(scope=scope).request(method, path, json={} if method == "POST" else None)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"subject": "ada@mail.example"}, "/subject", id="an address for a subject"),
        pytest.param({"subject": "anna\n"}, "/subject", id="a trailing newline"),
        pytest.param({"channel": "pigeon"}, "/channel", id="an unknown channel"),
        pytest.param({"purpose": "fun"}, "/purpose", id="an unknown purpose"),
        pytest.param({"at": "2026-11-21T09:00:00"}, "/at", id="a time without a zone"),
        pytest.param({"at": 0}, "/at", id="a number for a time"),
        pytest.param({"mail": "x"}, "", id="an unknown field"),
        pytest.param({"context": {"contents": "service"}}, "/context", id="a misspelt field of the context"),
        pytest.param({"context": {"bulk": "yes"}}, "/context/bulk", id="a word for a truth"),
        pytest.param(
            {"context": {"prior_confirmation_mails": -1}}, "/context/prior_confirmation_mails", id="less than none"
        ),
        pytest.param({"context": {"sender": "x" * 101}}, "/context/sender", id="a name without end"),
        pytest.param({"context": {"processor_country": "India"}}, "/context/processor_country", id="a name for a code"),
    ],
)
async def test_a_malformed_question_is_refused_where_it_is_wrong(
    client: httpx.AsyncClient, changes: dict[str, Any], pointer: str
):
    answer = await client.post("/v1/decisions", json=QUESTION | changes)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"permit": True, "at": "2026-11-21T09:00:00Z"}, "permit_is_for_now", "/at"),
        ({"at": "2026-11-22T09:00:01Z"}, "question_too_far_ahead", "/at"),
        ({"at": "0001-01-01T00:00:00Z"}, "instant_out_of_range", "/at"),
        ({"purpose": "x-unheard-of"}, "unknown_purpose", "/purpose"),
        ({"context": {"plausible_time_zones": ["Mars/Base"]}}, "unknown_time_zone", "/context/plausible_time_zones/0"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_a_conflict(
    client: httpx.AsyncClient, changes: dict[str, Any], code: str, pointer: str
):
    problem = (await client.post("/v1/decisions", json=QUESTION | changes)).json()

    assert (problem["status"], problem["type"].rsplit("/")[-1], problem["errors"][0]["pointer"]) == (409, code, pointer)


async def test_a_question_without_a_wish_for_a_permit_may_say_so(client: httpx.AsyncClient):
    assert (await ask(client, permit=False))["permit"] is None


async def test_a_tenants_own_purpose_is_judged_as_the_one_it_maps_onto(client: httpx.AsyncClient):
    await client.put("/v1/purposes/x-club", json={"maps_to": "marketing", "title": "Club letter"})
    await knows_anna(client, {**OPT_IN, "purpose": "x-club"})

    assert (await ask(client, purpose="x-club"))["decision"] == "permit"
    assert (await ask(client))["decision"] == "deny"


async def test_a_policy_engine_that_does_not_answer_is_a_no(
    settings: Settings, database: Database, clock: FakeClock, tenant: TenantId
):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with serving(msgspec.structs.replace(settings, opa_url=address), database, clock, tenant) as client:
            for path, body in (
                ("/v1/decisions", QUESTION),
                ("/v1/simulations/decision", {"channel": "email", "purpose": "marketing"}),
            ):
                answer = await client.post(path, json=body)
                assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
                assert answer.json()["decision"] == "deny"
                assert "retry-after" in answer.headers


@asynccontextmanager
async def serving(
    settings: Settings, database: Database, clock: FakeClock, tenant: TenantId
) -> AsyncIterator[httpx.AsyncClient]:
    async with app.running(settings, database.urls, Telemetry(clock), clock=clock) as site:
        token = LocalIssuer.open(settings.data, settings.audience).sign(
            tenant=tenant, scope="decide", subject="shop", ttl=timedelta(hours=1), now=clock(), new_id=uuid7
        )
        transport = httpx.ASGITransport(site, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://volens.example", headers=headers) as client:
            yield client


def told(answer: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a stored and a simulated decision must have in common."""
    return answer["decision"], answer["basis"], answer["reasons"], answer["obligations"], answer["retry_after"]


def moment(case: dict[str, Any]) -> datetime:
    """Return an instant at which all that the case tells of has happened."""
    told_of = [case["at"], *(record["ts"] for record in case["records"])]
    return max(map(datetime.fromisoformat, told_of)).astimezone(UTC)


async def test_every_shared_case_gets_the_answer_of_the_law_simulated_and_stored(
    client_of: Callable[..., httpx.AsyncClient], clock: FakeClock
):
    played = sorted(CASES, key=moment)
    clock.now = moment(played[0])
    client = client_of()
    wrong: dict[str, list[str]] = {}
    stored = 0
    for case in played:
        clock.now = moment(case)
        question = {name: case[name] for name in case if name not in ABOUT}
        answer = (await client.post("/v1/simulations/decision", json=question)).json()
        wrong[case["id"]] = differences(answer, case["expect"])
        if can_be_stored(case):
            stored += 1
            decision, ids = await store(client, case)
            if told(decision) != told(answer) or decision["records"] != [ids[place] for place in answer["records"]]:
                wrong[case["id"]].append(f"stored: {decision}")

    assert {id_: found for id_, found in wrong.items() if found} == {}
    assert (len(played), stored > 40) == (59, True)


def differences(answer: dict[str, Any], expect: dict[str, Any]) -> list[str]:
    """Return what a simulation lacks of what a case expects."""
    if "decision" not in answer or answer["warnings"]:
        return [str(answer)]
    found = []
    if ((answer["decision"] == "permit"), answer["basis"]) != (expect["allow"], expect["basis"]):
        found.append(f"{answer['decision']} on {answer['basis']}")
    found += sorted({*expect["must_mention"]} - {*rules(answer)})
    found += sorted({*expect["obligations"]} - {*answer["obligations"]})
    if "retry_after" in expect and answer["retry_after"] != expect["retry_after"]:
        found.append(f"retry_after {answer['retry_after']}")
    return found


def can_be_stored(case: dict[str, Any]) -> bool:
    """Flags are the service's own, and a second residence is for simulations alone."""
    return (
        not any(case["flags"].values())
        and case["subject"].get("residence", case["jurisdiction"]) == case["jurisdiction"]
    )


async def store(client: httpx.AsyncClient, case: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Store the case's subject and records, and ask its question."""
    facts = {name: value for name, value in case["subject"].items() if value is not None}
    facts |= {"residence": case["jurisdiction"], "time_zone": case["local_time_zone"], "signals": case["signals"]}
    if "age" in facts:
        facts["age_declared_at"] = case["at"]
    stored = await client.put(f"/v1/subjects/{case['id']}", json=facts)
    assert stored.status_code in {200, 201}, stored.text
    ids = await has(client, case["id"], *case["records"])
    question = {name: case[name] for name in ("channel", "purpose", "context", "at") if name in case}
    return await ask(client, subject=case["id"], **question), ids


async def test_a_place_or_zone_that_does_not_exist_is_judged_by_the_strictest_profile(client: httpx.AsyncClient):
    case = {"channel": "email", "purpose": "marketing", "jurisdiction": "QQ", "local_time_zone": "Europe/Atlantis"}
    answer = (await client.post("/v1/simulations/decision", json=case)).json()

    assert answer["decision"] == "deny"
    assert answer["warnings"] == [
        {"code": "unknown_jurisdiction", "pointer": "/jurisdiction"},
        {"code": "unknown_time_zone", "pointer": "/local_time_zone"},
    ]


async def test_a_simulation_stores_nothing(client: httpx.AsyncClient):
    before = (await client.get("/v1/audit/entries")).json()
    case = {"channel": "email", "purpose": "marketing", "jurisdiction": "DE", "records": [OPT_IN]}
    await client.post("/v1/simulations/decision", json=case)

    assert (await client.get("/v1/audit/entries")).json() == before


async def test_a_simulation_takes_any_instant(client: httpx.AsyncClient):
    for at in ("1999-01-01T00:00:00Z", "2150-01-01T00:00:00Z"):
        case = {"channel": "email", "purpose": "marketing", "jurisdiction": "DE", "at": at}
        answer = (await client.post("/v1/simulations/decision", json=case)).json()
        assert answer["at"] == at


@pytest.mark.parametrize("extreme", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_times_at_the_ends_of_the_calendar_are_no_bug(client: httpx.AsyncClient, extreme: str):
    record = {**OPT_IN, "ts": extreme, "expires_at": extreme, "channel": "phone"}
    attempt = {"ts": extreme, "channel": "phone", "action": "call_attempt"}
    refusal = {"ts": extreme, "channel": "phone", "action": "refused_in_call"}
    case = {
        "channel": "phone", "purpose": "marketing", "jurisdiction": "US-CA", "local_time_zone": "America/Los_Angeles",
        "subject": {"last_sent_at": extreme, "birth_date": extreme[:10], "moved_at": extreme[:10]},
        "records": [record, attempt, refusal], "signals": {"number_reassigned_after": extreme[:10]},
        "context": {"approved_at": extreme}, "flags": {"restricted": True, "restricted_at": extreme},
        "at": "2026-11-21T09:00:00Z",
    }  # fmt: skip
    for zone in ("America/Los_Angeles", "Asia/Tokyo"):
        answer = await client.post("/v1/simulations/decision", json=case | {"local_time_zone": zone})
        assert answer.status_code == 200, answer.text
