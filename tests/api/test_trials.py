"""What a change of policy would do, as a client asks and is told."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.kernel import TenantId
from tests.builders import a_record_body
from tests.conftest import FakeClock

PATH = "/v1/simulations/policy"
LAW = Path(__file__).parents[2] / "policies"
PERIODS = json.loads((LAW / "data/periods.json").read_text())
BANDS = json.loads((LAW / "data/bands.json").read_text())
AGES = json.loads((LAW / "data/ages.json").read_text())
OLDER = {"ages": AGES | {"consent": AGES["consent"] | {"DE": 18}}}
SHORTER = {"periods": PERIODS | {"stale": PERIODS["stale"] | {"other": 12, "DE": 12}}}
LONG = {"decisions": {"since": "2026-01-01T00:00:00Z"}}
NO_MAIL = {"denied": [{"channel": "email"}]}
Clients = Callable[..., httpx.AsyncClient]


async def person(client: httpx.AsyncClient, name: str, given: str, *, young: bool = False, **changes: Any) -> None:
    """Store someone in Germany who opted in to e-mail at an instant; `young` is of age now, and was not always."""
    facts = {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"}
    if young:
        facts |= {"birth_date": "2008-11-01"}
        del facts["age"]
    assert (await client.put(f"/v1/subjects/{name}", json=facts)).status_code == 201
    body = a_record_body(subject=name, ts=given, method="double_opt_in", **changes)
    answer = await client.post("/v1/records", json={"records": [body]})
    assert answer.status_code == 201, answer.text


async def ask(client: httpx.AsyncClient, name: str, **changes: Any) -> Any:
    answer = await client.post(
        "/v1/decisions", json={"subject": name, "channel": "email", "purpose": "marketing"} | changes
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def start(client: httpx.AsyncClient, status: int = 202, **body: Any) -> httpx.Response:
    answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    return answer


async def ended(client: httpx.AsyncClient, started: httpx.Response) -> Any:
    for _ in range(600):
        trial = (await client.get(started.headers["location"])).json()
        if trial["state"] in {"done", "failed"}:
            return trial
        await asyncio.sleep(0.05)
    raise AssertionError(f"the trial does not end: {trial}")


async def tried(client: httpx.AsyncClient, **body: Any) -> tuple[Any, list[Any]]:
    """Return the trial when it is done, and everything that it would change."""
    started = await start(client, **body)
    trial = await ended(client, started)
    assert trial["state"] == "done", trial
    changes: list[Any] = []
    url = f"{started.headers['location']}/changes?limit=2"
    while url:
        page = await client.get(url)
        assert page.status_code == 200, page.text
        changes += page.json()["changes"]
        url = page.links.get("next", {}).get("url", "")
    return trial, changes


@pytest.fixture
async def asked(client: httpx.AsyncClient, clock: FakeClock) -> dict[str, str]:
    """The ids of decisions about someone who consented lately, and someone who did 18 months ago, as a child."""
    await person(client, "new", "2026-11-01T12:00:00Z")
    await person(client, "old", "2025-05-20T12:00:00Z", young=True)
    decided = {name: await ask(client, name) for name in ("new", "old")}
    assert {name: answer["decision"] for name, answer in decided.items()} == {"new": "permit", "old": "permit"}
    decided["nobody"] = await ask(client, "nobody")
    clock.advance(timedelta(minutes=1))
    return {name: str(answer["id"]) for name, answer in decided.items()}


async def test_a_higher_age_denies_those_who_consented_younger(client: httpx.AsyncClient, asked: dict[str, str]):
    trial, changes = await tried(client, tables=OLDER, over=LONG)

    result = trial["result"]
    assert {name: result[name] for name in ("judged", "unchanged", "to_deny", "to_permit", "unjudged")} == {
        "judged": 3,
        "unchanged": 2,
        "to_deny": 1,
        "to_permit": 0,
        "unjudged": 0,
    }
    (change,) = changes
    assert change.pop("rules") == [each["name"] for each in result["rules"]]
    assert change == {
        "channel": "email",
        "purpose": "marketing",
        "then": "permit",
        "now": "deny",
        "decision": asked["old"],
    }
    for group, name in (("channels", "email"), ("purposes", "marketing")):
        assert result[group] == [{"name": name, "to_deny": 1, "to_permit": 0, "examples": [asked["old"]]}]
    assert trial["progress"] == {"done": 3, "total": 3}
    assert (await ask(client, "old"))["decision"] == "permit", "nothing was activated"


async def test_a_candidate_that_is_what_governs_changes_nothing(client: httpx.AsyncClient, asked: dict[str, str]):
    overlay = {"stale_months": 18}
    await client.put("/v1/policy/overlay", json=overlay)
    await ask(client, "old")
    await ask(client, "new")
    over = {"subjects": {"channel": "email", "purpose": "marketing"}}
    for same in (
        {"overlay": overlay},
        {"tables": {"periods": PERIODS}},
        {"overlay": overlay, "tables": {"bands": BANDS}},
    ):
        trial, changes = await tried(client, **same, over=over)
        assert (trial["result"]["judged"], trial["result"]["reasons_changed"], changes) == (2, 0, [])


async def test_an_overlay_is_tried_on_the_log_in_place_of_that_of_then(
    client: httpx.AsyncClient, asked: dict[str, str]
):
    trial, changes = await tried(client, overlay=NO_MAIL, over=LONG)

    assert {change["decision"] for change in changes} == {asked["new"], asked["old"]}
    assert trial["result"]["rules"] == [
        {"name": "ENG-OWN-01", "to_deny": 2, "to_permit": 0, "examples": [asked["new"], asked["old"]]}
    ]


async def test_a_rule_that_began_within_the_period_can_be_tried_from_its_beginning_on(client: httpx.AsyncClient):
    early = {"early": ["FR-TEL-01"]}  # since 2026-08-11
    await start(client, overlay=early, over={"decisions": {"since": "2026-08-01T00:00:00Z"}})
    for over in (
        {"decisions": {"since": "2026-08-12T00:00:00Z"}},
        {"subjects": {"channel": "phone", "purpose": "marketing"}},
    ):
        refused = (await start(client, 409, overlay=early, over=over)).json()
        assert refused["type"].endswith("/overlay_unusable")
        assert [error["pointer"] for error in refused["errors"]] == ["/overlay/early/0"]


async def test_taking_an_overlay_away_permits_what_it_alone_denied(
    client: httpx.AsyncClient, asked: dict[str, str], clock: FakeClock
):
    await client.put("/v1/policy/overlay", json=NO_MAIL)
    refused = (await ask(client, "new"))["id"]
    clock.advance(timedelta(seconds=1))
    trial, changes = await tried(client, overlay={}, over=LONG)

    assert [(each["decision"], each["then"], each["now"], each["rules"]) for each in changes] == [
        (refused, "deny", "permit", ["ENG-OWN-01"])
    ]
    assert trial["policy_revision"].endswith("+overlay.1")
    assert trial["result"]["reasons_changed"] == 0


async def test_months_of_the_tenants_own_are_tried_on_the_decisions_that_were_made_under_them(
    client: httpx.AsyncClient, asked: dict[str, str], clock: FakeClock
):
    own = {"stale_months": 12}
    answer = (await start(client, 409, overlay=own, over=LONG)).json()
    assert [fault["pointer"] for fault in answer["errors"]] == ["/overlay/stale_months"]
    _, changes = await tried(client, overlay=own, over={"subjects": {"channel": "email", "purpose": "marketing"}})
    assert [(change["subject"], change["now"]) for change in changes] == [("old", "deny")]

    await client.put("/v1/policy/overlay", json=own)
    assert (await ask(client, "old"))["decision"] == "deny"
    clock.advance(timedelta(seconds=1))
    trial, changes = await tried(client, overlay=own, over=LONG)
    assert (trial["result"]["judged"], trial["result"]["unjudged"], changes) == (1, 3, [])


async def test_a_purpose_of_the_tenants_own_is_denied_by_its_name(client: httpx.AsyncClient, clock: FakeClock):
    await client.put("/v1/purposes/x-club", json={"maps_to": "marketing", "title": "Club"})
    await person(client, "anna", "2026-11-01T12:00:00Z", purpose="x-club")
    await person(client, "ben", "2026-11-01T12:00:00Z")
    club = (await ask(client, "anna", purpose="x-club"))["id"]
    await ask(client, "ben")
    clock.advance(timedelta(seconds=1))

    trial, changes = await tried(client, overlay={"denied": [{"purpose": "x-club"}]}, over=LONG)

    assert [change["decision"] for change in changes] == [club]
    assert [group["name"] for group in trial["result"]["purposes"]] == ["x-club"]


async def test_everybody_of_today_can_be_asked_about_and_is_named(client: httpx.AsyncClient, asked: dict[str, str]):
    over = {"subjects": {"channel": "email", "purpose": "marketing", "context": {"content": "promotional"}}}
    trial, changes = await tried(client, tables=SHORTER, over=over)

    (change,) = changes
    assert (change["subject"], change["then"], change["now"]) == ("old", "permit", "deny")
    assert trial["result"]["judged"] == 2
    assert "decision" not in change


async def test_a_finer_edge_can_be_tried_on_people_and_not_on_the_log(client: httpx.AsyncClient, asked: dict[str, str]):
    finer = {"periods": PERIODS | {"stale": PERIODS["stale"] | {"other": 17, "DE": 17}}}
    answer = (await start(client, 409, tables=finer, over=LONG)).json()
    assert {fault["pointer"] for fault in answer["errors"]} == {
        "/tables/periods/stale/other",
        "/tables/periods/stale/DE",
    }
    assert "3, 6, 12, 18, 24, 36" in answer["detail"]

    answer = (await start(client, 409, tables=SHORTER, over=LONG)).json()
    assert [fault["pointer"] for fault in answer["errors"]] == [
        "/tables/periods/stale/other",
        "/tables/periods/stale/DE",
    ]
    assert "over `subjects`" in answer["detail"]
    finer["bands"] = BANDS | {"months": sorted([*BANDS["months"], 17])}
    answer = (await start(client, 409, tables=finer, over=LONG)).json()
    assert [fault["pointer"] for fault in answer["errors"]] == ["/tables/bands"]
    _, changes = await tried(client, tables=finer, over={"subjects": {"channel": "email", "purpose": "marketing"}})
    assert [change["subject"] for change in changes] == ["old"]


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"over": LONG}, 409, "trial_unusable", ""),
        ({"overlay": {}, "over": {}}, 409, "trial_unusable", "/over"),
        ({"overlay": {"stale_months": 12}, "over": {}}, 409, "trial_unusable", "/over"),
        (
            {"overlay": NO_MAIL, "over": LONG | {"subjects": {"channel": "email", "purpose": "marketing"}}},
            409,
            "trial_unusable",
            "/over",
        ),
        ({"overlay": NO_MAIL}, 400, "invalid_request", ""),
        (
            {
                "overlay": NO_MAIL,
                "over": {"decisions": {"since": "2026-11-20T00:00:00Z", "until": "2026-11-19T00:00:00Z"}},
            },
            409,
            "trial_unusable",
            "/over/decisions",
        ),
        ({"overlay": {"stale_months": 13}, "over": LONG}, 409, "overlay_unusable", "/overlay/stale_months"),
        ({"overlay": {"stale_months": 36}, "over": LONG}, 409, "overlay_loosens", "/overlay/stale_months"),
        (
            {"overlay": {"hours": {"channels": ["phone"], "days": {"1": [["09:17", "12:00"]]}}}, "over": LONG},
            409,
            "trial_unusable",
            "/overlay/hours",
        ),
        ({"tables": {"laws": {}}, "over": LONG}, 409, "trial_unusable", "/tables/laws"),
        ({"tables": {"deadlines": []}, "over": LONG}, 409, "trial_unusable", "/tables/deadlines"),
        ({"tables": {"input": {}}, "over": LONG}, 409, "trial_unusable", "/tables/input"),
        (
            {"tables": {"periods": PERIODS | {"spain": "24"}}, "over": LONG},
            409,
            "trial_unusable",
            "/tables/periods/spain",
        ),
        (
            {"tables": {"periods": PERIODS | {"portugal": 24}}, "over": LONG},
            409,
            "trial_unusable",
            "/tables/periods/portugal",
        ),
        ({"tables": {"../periods": PERIODS}, "over": LONG}, 400, "invalid_request", "/tables"),
        (
            {"overlay": NO_MAIL, "over": {"subjects": {"channel": "email", "purpose": "x-nobody"}}},
            409,
            "unknown_purpose",
            "/over/subjects/purpose",
        ),
        (
            {
                "overlay": NO_MAIL,
                "over": {
                    "subjects": {
                        "channel": "email",
                        "purpose": "marketing",
                        "context": {"plausible_time_zones": ["Europe/Bonn"]},
                    }
                },
            },
            409,
            "unknown_time_zone",
            "/over/subjects/context/plausible_time_zones/0",
        ),
        (
            {"modules": {"volens/gdpr/own.rego": "package volens.gdpr"}, "over": LONG},
            409,
            "candidate_rego_not_offered",
            "/modules",
        ),
        ({"modules": {"../own.rego": "package volens.gdpr"}, "over": LONG}, 400, "invalid_request", "/modules"),
        ({"overlay": NO_MAIL, "over": LONG, "activate": True}, 400, "invalid_request", ""),
    ],
)
async def test_what_can_not_be_tried_is_refused_where_it_stands(
    client: httpx.AsyncClient, body: Any, status: int, code: str, pointer: str
):
    answer = (await start(client, status, **body)).json()

    assert answer["type"].rpartition("/")[2] == code, answer
    assert pointer in {fault["pointer"] for fault in answer["errors"]}, answer


async def test_trials_are_listed_the_newest_first_in_pages(client: httpx.AsyncClient, asked: dict[str, str]):
    assert (await client.get(PATH)).json() == {"trials": []}
    denied = [{"denied": [{"channel": channel}]} for channel in ("email", "sms", "push")]
    trials = [(await tried(client, overlay=overlay, over=LONG))[0] for overlay in denied]

    assert (await client.get(PATH)).json() == {"trials": trials[::-1]}
    first = await client.get(PATH, params={"limit": 2})
    rest = await client.get(first.links["next"]["url"])
    assert first.json()["trials"] + rest.json()["trials"] == trials[::-1]
    assert "next" not in rest.links


async def test_another_tenant_finds_no_such_trial(
    client: httpx.AsyncClient, client_of: Clients, add_tenant: Callable[[], TenantId], asked: dict[str, str]
):
    started = await start(client, overlay=NO_MAIL, over=LONG)
    await ended(client, started)
    stranger = client_of(tenant=add_tenant())

    for path in (started.headers["location"], f"{started.headers['location']}/changes", f"{PATH}/{uuid4()}"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (404, "trial_unknown")
    trial, changes = await tried(stranger, overlay=NO_MAIL, over=LONG)
    assert (trial["result"]["judged"], changes) == (0, [])


async def test_it_takes_the_scope_to_write_policies_to_try_one(client_of: Clients):
    reader = client_of(scope="policy:read")

    assert (await start(reader, 403, overlay=NO_MAIL, over=LONG)).json()["scope"] == "policy:write"


async def test_who_tried_what_is_in_the_audit_log(client: httpx.AsyncClient):
    started = await start(client, overlay=NO_MAIL, over=LONG)
    entries = (await client.get("/v1/audit/entries?event=policy.tried")).json()["entries"]

    assert [entry["object_id"] for entry in entries] == [started.json()["id"]]
    await ended(client, started)


async def test_the_subject_line_of_a_message_is_not_kept(client: httpx.AsyncClient, asked: dict[str, str]):
    said = {"subject_line": "for lovelace@mail.example", "content": "service"}
    survey = {"channel": "email", "purpose": "marketing", "context": said}

    trial, _ = await tried(client, overlay=NO_MAIL, over={"subjects": survey})

    assert trial["over"]["subjects"]["context"] == {"content": "service"}
    assert trial["result"]["judged"] == 2
