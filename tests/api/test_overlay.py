"""A tenant's own policy, as a client puts it over the law and sees what comes of it."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
import rfc8785

from service.kernel import TenantId
from tests.builders import a_record_body
from tests.conftest import Database, FakeClock

PATH = "/v1/policy/overlay"
QUESTION = {"subject": "s-1", "channel": "email", "purpose": "marketing"}
NO_MAIL = {"denied": [{"channel": "email"}]}
OFFICE = {"channels": ["phone"], "days": {"1": [["09:00", "12:00"], ["13:00", "17:00"]]}}
EARLY = "what can be followed early is IN-DPDP, US-TCPA-03, USCA-ADM-01"
"""On the day of the tests' clock."""
Clients = Callable[..., httpx.AsyncClient]


async def put(client: httpx.AsyncClient, overlay: Any, status: int = 200, **options: Any) -> Any:
    answer = await client.put(PATH, json=overlay, params=options)
    assert answer.status_code == status, answer.text
    return answer.json()


async def ask(client: httpx.AsyncClient, **changes: Any) -> Any:
    answer = await client.post("/v1/decisions", json=QUESTION | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def willing(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The tenant's client; its subject may be written to."""
    await client.put("/v1/subjects/s-1", json={"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
    await client.post("/v1/records", json={"records": [a_record_body(method="double_opt_in")]})
    assert (await ask(client))["decision"] == "permit"
    return client


async def test_before_there_is_one_it_is_empty_and_no_decision_names_it(willing: httpx.AsyncClient):
    assert (await willing.get(PATH)).json() == {"version": 0, "overlay": {}, "at": None, "actor": None}
    assert "+" not in (await ask(willing))["policy_revision"]


async def test_it_is_stored_as_a_whole_and_read_back(client: httpx.AsyncClient, clock: FakeClock):
    whole = {
        "denied": [{"channel": "sms"}, {"purpose": "survey"}, {"channel": "email", "purpose": "fundraising"}],
        "hours": OFFICE | {"on_holidays": False},
        "stale_months": 12,
        "double_opt_in": True,
        "refused_bases": ["soft_opt_in"],
        "attempts": {"h24": 1, "d30": 2},
        "early": ["US-TCPA-03"],
    }
    stored = await put(client, whole)

    assert stored == {
        "version": 1,
        "overlay": whole,
        "at": clock().isoformat().replace("+00:00", "Z"),
        "actor": "shop-backend",
    }
    assert (await client.get(PATH)).json() == stored
    smaller = await put(client, {"stale_months": 12})
    assert (smaller["version"], smaller["overlay"]) == (2, {"stale_months": 12})


async def test_the_very_next_decision_is_made_under_it_and_says_so(willing: httpx.AsyncClient):
    law = (await ask(willing))["policy_revision"]
    await put(willing, NO_MAIL)
    refused = await ask(willing)
    logged = (await willing.get(f"/v1/decisions/{refused['id']}")).json()

    assert refused["decision"] == "deny"
    assert refused["policy_revision"] == f"{law}+overlay.1" == logged["policy_revision"]
    assert [reason["rule"] for reason in refused["reasons"] if reason["effect"] == "deny"] == ["ENG-OWN-01"]
    assert logged["facts"]["overlay"] == NO_MAIL

    await put(willing, {})
    again = await ask(willing)
    assert (again["decision"], again["policy_revision"]) == ("permit", f"{law}+overlay.2")


async def test_simulations_are_answered_under_it_too(willing: httpx.AsyncClient):
    await put(willing, NO_MAIL)
    case = {
        "jurisdiction": "DE",
        "channel": "email",
        "purpose": "marketing",
        "records": [{name: value for name, value in a_record_body(method="double_opt_in").items()
                     if name not in ("id", "subject")}],
    }  # fmt: skip
    simulated = (await willing.post("/v1/simulations/decision", json=case)).json()

    assert simulated["decision"] == "deny"
    assert simulated["policy_revision"].endswith("+overlay.1")
    assert "ENG-OWN-01" in {reason["rule"] for reason in simulated["reasons"]}


async def test_hours_of_ones_own_shut_and_tell_when_they_open_again(willing: httpx.AsyncClient, clock: FakeClock):
    call = a_record_body(channel="phone", method="double_opt_in")
    await willing.post("/v1/records", json={"records": [call]})
    clock.now = datetime.fromisoformat("2026-11-23T17:30:00+01:00").astimezone(UTC)  # a Monday
    assert (await ask(willing, channel="phone"))["decision"] == "permit"

    await put(willing, {"hours": OFFICE | {"days": {"1": [["09:00", "17:00"]], "2": [["10:15", "12:00"]]}}})
    shut = await ask(willing, channel="phone")

    assert shut["decision"] == "deny"
    assert shut["retry_after"] == "2026-11-24T10:15:00+01:00"


async def test_a_purpose_of_ones_own_is_denied_and_what_it_maps_onto_is_not(willing: httpx.AsyncClient):
    await willing.put("/v1/purposes/x-club", json={"maps_to": "marketing", "title": "Club"})
    await put(willing, {"denied": [{"purpose": "x-club"}]})

    assert (await ask(willing))["decision"] == "permit"
    club = a_record_body(purpose="x-club", method="double_opt_in")
    await willing.post("/v1/records", json={"records": [club]})
    assert "ENG-OWN-01" in {reason["rule"] for reason in (await ask(willing, purpose="x-club"))["reasons"]}


async def test_the_same_again_stays_the_version_that_it_is(client: httpx.AsyncClient, clock: FakeClock):
    first = await put(client, NO_MAIL)
    clock.advance(timedelta(hours=1))
    again = await put(client, NO_MAIL)

    assert again == first
    assert await put(client, {"denied": [{"channel": "email"}], "early": []}) == first
    assert (await put(client, {}))["version"] == 2
    assert (await put(client, {}))["version"] == 2


async def test_taking_away_what_was_never_there_stores_nothing(client: httpx.AsyncClient):
    assert await put(client, {}) == {"version": 0, "overlay": {}, "at": None, "actor": None}


async def test_a_dry_run_says_that_it_is_one_and_stores_nothing(willing: httpx.AsyncClient):
    await put(willing, {"stale_months": 12})
    tried = await put(willing, NO_MAIL, dry_run="true")

    assert tried == {"dry_run": True, "version": None, "overlay": NO_MAIL, "at": None, "actor": None}
    assert (await put(willing, {"stale_months": 12}, dry_run="true"))["version"] is None
    assert (await willing.get(PATH)).json()["version"] == 1
    assert (await ask(willing))["decision"] == "permit"
    assert len(await entries(willing)) == 1
    refused = await put(willing, {"stale_months": 36}, 409, dry_run="true")
    assert refused["type"].endswith("/overlay_loosens")


async def test_a_change_based_on_an_older_version_is_refused(client: httpx.AsyncClient):
    await put(client, NO_MAIL, based_on=0)
    late = await put(client, {"stale_months": 12}, 409, based_on=0)

    assert late["type"].endswith("/overlay_moved")
    assert late["version"] == 1
    assert (await put(client, {"stale_months": 12}, based_on=1))["version"] == 2
    assert (await put(client, {}, 409, based_on=1, dry_run="true"))["type"].endswith("/overlay_moved")


async def test_of_two_at_the_same_moment_one_is_told_that_it_lost(client: httpx.AsyncClient):
    overlays = [{"denied": [{"channel": channel}]} for channel in ("email", "sms", "push", "post")]
    answers = await asyncio.gather(*(client.put(PATH, json=overlay, params={"based_on": 0}) for overlay in overlays))
    won = [answer.json() for answer in answers if answer.status_code == 200]

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert {answer.json()["type"].rsplit("/")[-1] for answer in answers if answer.status_code == 409} == {
        "overlay_moved"
    }
    assert (await client.get(PATH)).json() == won[0]


@pytest.mark.parametrize(
    ("overlay", "rules", "pointers"),
    [
        ({"stale_months": 36}, ["ENG-STALE-01"], ["/stale_months"]),
        ({"double_opt_in": False}, ["DE-DOI-01"], ["/double_opt_in"]),
        ({"attempts": {"h24": 4, "d30": 1}}, ["US-STQ-02"], ["/attempts/h24"]),
        ({"attempts": {"d30": 5}}, ["FR-TEL-02"], ["/attempts/d30"]),
        ({"hours": OFFICE | {"days": {"1": [["09:00", "12:00"]], "2": [["05:00", "23:00"]]}}},
         ["ENG-QH-01"], ["/hours/days/2"]),
        ({"stale_months": 36, "double_opt_in": False}, ["DE-DOI-01", "ENG-STALE-01"],
         ["/double_opt_in", "/stale_months"]),
    ],
    ids=str,
)  # fmt: skip
async def test_what_would_promise_less_than_the_law_is_refused_with_its_rule(
    client: httpx.AsyncClient, overlay: Any, rules: list[str], pointers: list[str]
):
    refused = await put(client, overlay, 409)

    assert refused["type"].endswith("/overlay_loosens")
    assert refused["rules"] == rules
    assert sorted(error["pointer"] for error in refused["errors"]) == pointers
    assert (await client.get(PATH)).json()["version"] == 0


@pytest.mark.parametrize(
    ("overlay", "pointers", "said"),
    [
        ({"stale_months": 13}, ["/stale_months"], "3, 6, 12"),
        ({"hours": OFFICE | {"days": {"3": [["12:00", "09:00"]]}}}, ["/hours/days/3/0"], "end after they begin"),
        ({"hours": OFFICE | {"days": {"3": [["09:00", "09:00"]]}}}, ["/hours/days/3/0"], "end after they begin"),
        ({"denied": [{"channel": "sms"}, {}]}, ["/denied/1"], "a `channel`, a `purpose` or both"),
        ({"early": ["US-TCPA-03", "ZZ-99"]}, ["/early/1"], f"no rule of this name; {EARLY}"),
        (
            {"early": ["DE-UWG-01", "ENG-QH-01"]},
            ["/early/0", "/early/1"],
            f"no day of its own that is yet to come; {EARLY}",
        ),
        (
            {"early": ["US-TCPA-03", "FR-TEL-01"]},
            ["/early/1"],
            f"in force by now, so to follow it early has no effect; {EARLY}",
        ),
        ({"early": ["FR-BLOCTEL-END"]}, ["/early/0"], "has no effect"),
    ],
    ids=str,
)
async def test_what_cannot_be_meant_or_measured_is_refused(
    client: httpx.AsyncClient, overlay: Any, pointers: list[str], said: str
):
    refused = await put(client, overlay, 409)

    assert refused["type"].endswith("/overlay_unusable")
    assert [error["pointer"] for error in refused["errors"]] == pointers
    assert said in refused["detail"]
    assert (await client.get(PATH)).json()["version"] == 0


async def test_what_was_followed_early_may_stay_when_its_day_has_come(client: httpx.AsyncClient, clock: FakeClock):
    await put(client, {"early": ["US-TCPA-03"]})
    clock.now = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)

    assert (await put(client, {"early": ["US-TCPA-03"]}))["version"] == 1
    assert (await put(client, {"early": ["IN-DPDP", "US-TCPA-03"]}))["version"] == 2
    assert (await put(client, {}))["version"] == 3
    assert (await put(client, {"early": ["US-TCPA-03"]}, 409))["type"].endswith("/overlay_unusable")


async def test_every_version_can_be_read_again(client: httpx.AsyncClient):
    stored = [await put(client, {"stale_months": months}) for months in (24, 12, 6)]
    await put(client, NO_MAIL, dry_run="true")

    assert [(await client.get(PATH, params={"version": each["version"]})).json() for each in stored] == stored
    unknown = await client.get(PATH, params={"version": 4})
    assert (unknown.status_code, unknown.json()["type"].rsplit("/")[-1]) == (404, "overlay_version_unknown")
    for odd in ("0", "-1", "one", "99999999999"):
        assert (await client.get(PATH, params={"version": odd})).status_code == 400


async def test_versions_are_listed_the_latest_first_in_pages(client: httpx.AsyncClient):
    assert (await client.get(f"{PATH}/versions")).json() == {"versions": []}
    stored = [await put(client, {"stale_months": months}) for months in (24, 12, 6)]

    assert (await client.get(f"{PATH}/versions")).json() == {"versions": stored[::-1]}
    first = await client.get(f"{PATH}/versions", params={"limit": 2})
    rest = await client.get(first.links["next"]["url"])
    assert first.json()["versions"] + rest.json()["versions"] == stored[::-1]
    assert "next" not in rest.links


async def test_a_purpose_that_nobody_registered_is_refused(client: httpx.AsyncClient):
    refused = await put(client, {"denied": [{"purpose": "survey"}, {"purpose": "x-typo"}]}, 409)

    assert refused["type"].endswith("/unknown_purpose")
    assert [error["pointer"] for error in refused["errors"]] == ["/denied/1/purpose"]


@pytest.mark.parametrize(
    ("overlay", "pointer"),
    [
        ({"stale_months": "12"}, "/stale_months"),
        ({"stale_months": 0}, "/stale_months"),
        ({"hours": {"channels": ["phone"]}}, "/hours"),
        ({"hours": OFFICE | {"channels": ["email"]}}, "/hours/channels/0"),
        ({"hours": OFFICE | {"days": {"1": [["9:00", "12:00"]]}}}, "/hours/days"),
        ({"hours": OFFICE | {"days": {"0": []}}}, "/hours/days"),
        ({"denied": [{"channel": "pigeon"}]}, "/denied/0/channel"),
        ({"denied": {"channel": "sms"}}, "/denied"),
        ({"attempts": {"h24": -1}}, "/attempts/h24"),
        ({"refused_bases": ["consent"]}, "/refused_bases/0"),
        ({"early": ["anna@shop.example"]}, "/early/0"),
        ({"permitted": [{"channel": "email"}]}, ""),
        ([], ""),
    ],
    ids=str,
)
async def test_what_is_no_overlay_is_refused_with_the_place_of_the_fault(
    client: httpx.AsyncClient, overlay: Any, pointer: str
):
    refused = await put(client, overlay, 400)

    assert refused["type"].endswith("/invalid_request")
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert "shop.example" not in json.dumps(refused)
    assert (await client.get(PATH)).json()["version"] == 0


@pytest.mark.parametrize("options", [{"dry_run": "1"}, {"based_on": "-1"}, {"based_on": "one"}, {"dryrun": "true"}])
async def test_an_option_that_is_none_is_refused_before_anything_is_stored(client: httpx.AsyncClient, options: Any):
    await put(client, NO_MAIL, 400, **options)

    assert (await client.get(PATH)).json()["version"] == 0


async def test_another_tenant_neither_sees_nor_feels_it(
    willing: httpx.AsyncClient, client_of: Clients, add_tenant: Callable[[], TenantId]
):
    other = client_of(tenant=add_tenant())
    await put(willing, NO_MAIL)

    assert (await other.get(PATH)).json()["version"] == 0
    assert (await other.get(PATH, params={"version": 1})).status_code == 404
    assert (await other.get(f"{PATH}/versions")).json() == {"versions": []}
    assert "+" not in (await ask(other))["policy_revision"]
    assert (await put(other, {"stale_months": 12}))["version"] == 1
    assert (await willing.get(PATH)).json()["overlay"] == NO_MAIL


async def entries(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit/entries", params={"event": "overlay.stored"})
    return list(answer.json()["entries"])


async def test_it_leaves_an_audit_entry_that_commits_to_it_and_an_event(
    client: httpx.AsyncClient, tenant: TenantId, database: Database
):
    overlay = {"stale_months": 12, "denied": [{"purpose": "survey", "channel": "sms"}]}
    await put(client, overlay)
    await put(client, overlay)
    (entry,) = await entries(client)
    with psycopg.connect(database.urls.owner) as owner:
        queued = owner.execute("SELECT type, object_id, subject FROM outbox WHERE tenant = %s", (tenant,)).fetchall()

    assert (entry["object_id"], entry["actor"], entry["subject"]) == ("overlay.1", "shop-backend", None)
    assert entry["commitment"] == hashlib.sha256(rfc8785.dumps(overlay)).hexdigest()
    assert queued == [("overlay.stored", "overlay.1", None)]


async def test_reading_takes_one_scope_and_writing_another(client_of: Clients):
    reader, writer = client_of(scope="policy:read"), client_of(scope="policy:write")

    assert (await reader.get(PATH)).status_code == 200
    assert (await writer.put(PATH, json={})).status_code == 200
    assert (await reader.put(PATH, json={})).status_code == 403
    assert (await writer.get(PATH)).status_code == 403
