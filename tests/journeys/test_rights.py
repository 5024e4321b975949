"""What people go through with a right: an agent who speaks for somebody, and a refusal that is appealed against."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from service import kernel
from tests.journeys.processes import Client, environment, running, volens


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    """Staff of a controller in California, and Vera, with her own token."""
    env = environment(tmp_path_factory.mktemp("data"))
    volens("migrate", env=env)
    volens("tenant", "add", "acme", env=env)
    volens("tenant", "place", "acme", "--place", "US-CA", "--time-zone", "America/Los_Angeles", env=env)
    tokens = [
        volens("token", "--tenant", "acme", *who, env=env).stdout.strip()
        for who in (("--scope", " ".join(kernel.SCOPES)), ("--scope", "self", "--subject", "vera"))
    ]
    with running("up", "--port", "0", env=env) as process:
        assert process.url
        staff, vera = (Client(process.url, token) for token in tokens)
        yield staff, vera
        staff.close()
        vera.close()


def said(answer: tuple[int, Any], *statuses: int) -> Any:
    status, body = answer
    assert status in (statuses or (200, 201)), body
    return body


def moved(staff: Client, request: Any, move: str, **more: str) -> Any:
    body = {"version": request["version"]} | more
    return said(staff("POST", f"/v1/requests/{request['id']}/{move}", body))


def test_an_opt_out_by_an_agent_counts_before_anybody_is_verified(service: tuple[Client, Client]):
    staff, _ = service
    said(staff("PUT", "/v1/subjects/carl", {"residence": "US-CA", "age": 40, "is_customer": True}))
    agreed = {"id": str(uuid4()), "subject": "carl", "ts": "2026-01-05T12:00:00Z", "channel": "web"}
    agreed |= {"purpose": "sale_share", "action": "opt_in_sale", "method": "account_setting", "two_step": True}
    said(staff("POST", "/v1/records", {"records": [agreed]}))
    question = {"subject": "carl", "channel": "web", "purpose": "sale_share"}
    before = said(staff("POST", "/v1/decisions", question))
    asked = {"id": str(uuid4()), "subject": "carl", "right": "opt_out_of_sale", "via": "agent"}

    request = said(staff("POST", "/v1/requests", asked))
    after = said(staff("POST", "/v1/decisions", question))
    unshown = staff("POST", f"/v1/requests/{request['id']}/verify", {"version": 1, "reason": "not_needed"})
    said(unshown, 409)
    request = moved(staff, request, "verify", reason="not_needed", authority="signed_permission")
    for move in ("execute", "complete", "close"):
        request = moved(staff, request, move)

    assert (before["decision"], after["decision"], after["basis"]) == ("permit", "deny", "none")
    assert "USCA-OPT-01" in {reason["rule"] for reason in after["reasons"]}
    assert request["state"] == "closed"
    assert (request["law"], request["via"]) == ("CCPA", "agent")


def test_who_is_refused_is_told_how_to_appeal_and_is_answered(service: tuple[Client, Client]):
    staff, vera = service
    said(staff("PUT", "/v1/subjects/vera", {"residence": "US-VA", "age": 40}))
    asked = {"id": str(uuid4()), "subject": "vera", "right": "rectification", "via": "portal"}
    request = said(vera("POST", "/v1/requests", asked))
    assert (request["law"], request["state"]) == ("VCDPA", "accepted"), "her log-in shows who she is"

    refused = moved(staff, request, "refuse", reason="data_accurate")
    seen = said(vera("GET", f"/v1/requests/{request['id']}"))
    appeal = said(vera("POST", "/v1/requests", asked | {"id": str(uuid4()), "right": "appeal"}))
    for move in ("execute", "complete", "close"):
        appeal = moved(staff, appeal, move)

    assert (refused["state"], seen["refusal"]) == ("refused", refused["refusal"])
    assert seen["refusal"]["article"] == "e.g. Va. Code 59.1-577(A)(2)"
    assert "appeal" in seen["refusal"]["remedy"]
    assert appeal["state"] == "closed"
    assert said(vera("GET", f"/v1/requests/{request['id']}"))["state"] == "refused", "the first answer stays on record"
